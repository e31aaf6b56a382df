// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The host's commands (SNP ABI, "SNP_LAUNCH_START", "SNP_LAUNCH_UPDATE", "SNP_LAUNCH_FINISH"): their arguments.

use evtpm_snp::{GuestPolicy, IdAuth, IdBlock, PAGE_SIZE, PageType};

/// A guest, as the host refers to it (GCTX_PADDR).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuestHandle(pub u32);

/// The arguments of SNP_LAUNCH_START.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaunchStart {
    /// POLICY.
    pub policy: GuestPolicy,
    /// GOSVW, passed on in the secrets page.
    pub gosvw: [u8; 16],
}

impl LaunchStart {
    /// Returns the arguments for a guest with this policy.
    #[must_use]
    pub const fn new(policy: GuestPolicy) -> Self {
        Self { policy, gosvw: [0; 16] }
    }
}

/// The arguments of SNP_LAUNCH_UPDATE for one 4 KiB page.
#[derive(Debug)]
pub struct LaunchPage<'a> {
    /// PAGE_TYPE.
    pub page_type: PageType,
    /// The guest physical address of the page.
    pub gpa: u64,
    /// The permissions of VMPL 1, 2 and 3.
    pub vmpl_permissions: [u8; 3],
    /// The page; the firmware writes into it where the type says so.
    pub contents: &'a mut [u8; PAGE_SIZE],
}

impl<'a> LaunchPage<'a> {
    /// Returns the arguments for a page that VMPL 0 alone may use.
    pub const fn new(page_type: PageType, gpa: u64, contents: &'a mut [u8; PAGE_SIZE]) -> Self {
        Self { page_type, gpa, vmpl_permissions: [0; 3], contents }
    }
}

/// An ID block with its authentication.
#[derive(Clone, Copy, Debug)]
pub struct Identification<'a> {
    /// ID_BLOCK_PADDR.
    pub block: &'a IdBlock,
    /// ID_AUTH_PADDR.
    pub auth: &'a IdAuth,
    /// AUTH_KEY_EN: the ID key is certified by an author key.
    pub author_key_enabled: bool,
}

/// The arguments of SNP_LAUNCH_FINISH.
#[derive(Clone, Copy, Debug, Default)]
pub struct LaunchFinish<'a> {
    /// The ID block, if there is one (ID_BLOCK_EN).
    pub identification: Option<Identification<'a>>,
    /// HOST_DATA.
    pub host_data: [u8; 32],
}
