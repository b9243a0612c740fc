# A root that is changed above others: what changes comes to lie in `upper`, in the working directory. To be sourced, in mount
# and PID namespaces of their own.

# open_root LOWER[:LOWER...]: mounts `root`, with the kernel's file systems in it.
open_root() {
  mount --make-rprivate /
  mkdir -p upper work root
  mount -t overlay overlay -o "lowerdir=$1,upperdir=upper,workdir=work" root
  mount -t proc proc root/proc
  mount --rbind /dev root/dev
  mount -t tmpfs tmpfs root/run
  mount -t tmpfs -o mode=1777 tmpfs root/tmp
}

# close_root: leaves `upper` alone.
close_root() {
  umount -l root/tmp root/run root/dev root/proc
  umount root
  rm -rf work root
}
