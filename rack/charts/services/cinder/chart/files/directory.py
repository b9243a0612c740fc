"""Cinder's driver for volumes that are files in a directory of one host, where the guests that use them run too.

Nova attaches such a file as it attaches one of a cluster file system that every host has mounted (its type `gpfs`): by its
path, and with nothing to connect. So the directory may as well be a mount that all compute hosts share.

Whatever is acknowledged is on the disk: a volume, its size, and what it was made with.
"""

import os
import subprocess

from cinder import utils
from cinder.image import image_utils
from cinder.volume import driver, volume_utils
from oslo_config import cfg

GIB = 1 << 30
# Cinder looks at every image by `sudo cinder-rootwrap qemu-img`. These files are its own, and nothing in its pod runs as root.
utils.get_root_helper = lambda: 'env'

OPTIONS = [cfg.StrOpt('directory_path', help='The folder of volumes and snapshots, the same path on every host.')]


class DirectoryDriver(driver.VolumeDriver):
    VERSION = '1.0.0'

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.configuration.append_config_values(OPTIONS)

    def check_for_setup_error(self):
        # It cannot be listed. A process that knows a volume's name may open it: libvirt, which leaves a file to root when it has
        # been attached, and after that this driver again.
        os.chmod(self.configuration.directory_path, 0o711)

    def local_path(self, thing):
        return os.path.join(self.configuration.directory_path, thing.name)

    def create_volume(self, volume):
        with open(self.local_path(volume), 'xb'):
            pass
        self._open_and_resize(volume)

    def delete_volume(self, volume):
        self._remove(volume)

    def extend_volume(self, volume, size):
        os.truncate(self.local_path(volume), size * GIB)
        self._sync(volume)

    def create_snapshot(self, snapshot):
        self._copy(snapshot.volume, snapshot)

    def delete_snapshot(self, snapshot):
        self._remove(snapshot)

    def create_volume_from_snapshot(self, volume, snapshot):
        self._copy(snapshot, volume)
        self._open_and_resize(volume)

    def create_cloned_volume(self, volume, source):
        self._copy(source, volume)
        self._open_and_resize(volume)

    def copy_image_to_volume(self, context, volume, image_service, image_id, disable_sparse=False):
        image_utils.fetch_to_raw(
            context, image_service, image_id, self.local_path(volume),
            self.configuration.volume_dd_blocksize, size=volume.size, run_as_root=False)
        self._open_and_resize(volume)  # it has the image's own size

    def copy_volume_to_image(self, context, volume, image_service, image_meta):
        volume_utils.upload_volume(
            context, image_service, image_meta, self.local_path(volume), volume, run_as_root=False)

    def ensure_export(self, context, volume):
        pass

    def create_export(self, context, volume, connector):
        pass

    def remove_export(self, context, volume):
        pass

    def initialize_connection(self, volume, connector):
        return {
            'driver_volume_type': 'gpfs',
            'data': {'device_path': self.local_path(volume), 'name': volume.name},
        }

    def terminate_connection(self, volume, connector, **options):
        pass

    def _update_volume_stats(self):
        space = os.statvfs(self.configuration.directory_path)
        self._stats = {
            'volume_backend_name': self.configuration.safe_get('volume_backend_name'),
            'vendor_name': 'Pilotlight',
            'driver_version': self.VERSION,
            'storage_protocol': 'file',
            'total_capacity_gb': space.f_blocks * space.f_frsize / GIB,
            'free_capacity_gb': space.f_bavail * space.f_frsize / GIB,
            'reserved_percentage': 0,
            'thin_provisioning_support': True,
            'max_over_subscription_ratio': self.configuration.safe_get('max_over_subscription_ratio'),
        }

    def _open_and_resize(self, volume):
        os.chmod(self.local_path(volume), 0o666)
        self.extend_volume(volume, volume.size)

    def _copy(self, source, target):
        """Holes stay holes; a file system that can share blocks does."""
        command = ['cp', '--sparse=always', '--reflink=auto', self.local_path(source), self.local_path(target)]
        subprocess.run(command, check=True)
        self._sync(target)

    def _sync(self, thing):
        """Returns once the file, with its name in the folder, is on the disk."""
        for path in (self.local_path(thing), self.configuration.directory_path):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _remove(self, thing):
        try:
            os.unlink(self.local_path(thing))
        except FileNotFoundError:
            pass  # gone already: deleting twice is not a mistake
