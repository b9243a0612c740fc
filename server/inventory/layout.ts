// The folders of a data directory.

/** Those that hold templates: files that profiles name, and what such files include. */
export const TEMPLATE_FOLDERS: readonly string[] = ['ignition', 'generic', 'cloud', 'ipxe', 'grub']
