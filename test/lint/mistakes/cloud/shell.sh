echo no marker
