// SPDX-License-Identifier: Apache-2.0 OR MIT
//! File systems and kernel modules.

use std::fs::{self, File};

use anyhow::Context as _;
use rustix::mount::{MountFlags, mount};
use rustix::system::finit_module;

/// Type and place of the file systems that the kernel offers.
const FILE_SYSTEMS: &[(&str, &str)] = &[
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("devtmpfs", "/dev"),
    ("devpts", "/dev/pts"),
    ("securityfs", "/sys/kernel/security"),
    // Its type keeps what programs write at run time out of the "tcb" policy.
    ("tmpfs", "/tmp"),
    ("tmpfs", "/run"),
];

pub(crate) fn mount_all() -> anyhow::Result<()> {
    for (kind, place) in FILE_SYSTEMS {
        fs::create_dir_all(place).with_context(|| (*place).to_owned())?;
        mount(*kind, *place, *kind, MountFlags::empty(), None).with_context(|| format!("mount {place}"))?;
    }
    Ok(())
}

pub(crate) fn load_modules(paths: &[String]) -> anyhow::Result<()> {
    for path in paths {
        let module = File::open(path).with_context(|| path.clone())?;
        finit_module(&module, c"", 0).with_context(|| format!("load {path}"))?;
    }
    Ok(())
}
