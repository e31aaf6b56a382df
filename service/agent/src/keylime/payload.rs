// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The payload: its key K = U ⊕ V, of which the tenant sends one half and the verifier the other, and the folder it is put into.

use std::path::{Path, PathBuf};

use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::consts::U16;
use aes_gcm::aes::Aes256;
use aes_gcm::{AesGcm, KeyInit, Nonce, Tag};
use anyhow::{Context, Result};
use evtpm_crypto::{Crypto, HashAlg, RustCrypto, constant_time_eq};
use zeroize::Zeroizing;

use super::start::start;

/// Bytes of K, U and V.
const KEY: usize = 32;
/// Bytes of the IV: Keylime takes a whole block.
const IV: usize = 16;
const TAG: usize = 16;

/// Halves of each kind that wait for their counterpart; an older one gives way.
const WAITING: usize = 8;

/// Half of a payload key.
pub(super) type HalfKey = Zeroizing<[u8; KEY]>;

/// The tenant's half, and what it is for.
#[derive(Debug)]
pub(super) struct TenantHalf {
    pub(super) half: HalfKey,
    /// HMAC-SHA384(K, agent's name).
    pub(super) auth_tag: Vec<u8>,
    /// IV ‖ ciphertext ‖ tag.
    pub(super) payload: Option<Vec<u8>>,
}

/// The halves that came, until two fit.
#[derive(Debug, Default)]
pub(super) struct Halves {
    tenant: Vec<TenantHalf>,
    verifier: Vec<HalfKey>,
    key: Option<HalfKey>,
}

impl Halves {
    /// Takes a tenant's half.
    pub(super) fn add_tenant(&mut self, half: TenantHalf) {
        push(&mut self.tenant, half);
    }

    /// Takes a verifier's half.
    pub(super) fn add_verifier(&mut self, half: HalfKey) {
        push(&mut self.verifier, half);
    }

    /// Returns the payload key, once there is one.
    pub(super) fn key(&self) -> Option<&[u8]> {
        self.key.as_ref().map(|key| key.as_slice())
    }

    /// Puts two halves together that fit, which the tag tells, and returns the payload that came with them.
    pub(super) fn combine(&mut self, name: &str) -> Option<Result<Zeroizing<Vec<u8>>>> {
        let (place, key) = self.tenant.iter().enumerate().find_map(|(place, tenant)| {
            let fitting = self.verifier.iter().map(|verifier| xor(&tenant.half, verifier)).find(|key| {
                let tag = RustCrypto::hmac(HashAlg::Sha384, &**key, &[name.as_bytes()]);
                constant_time_eq(tag.as_bytes(), &tenant.auth_tag)
            });
            fitting.map(|key| (place, key))
        })?;
        let tenant = self.tenant.swap_remove(place);
        let payload = tenant.payload.map(|payload| open(&key, payload));
        self.tenant.clear();
        self.verifier.clear();
        self.key = Some(key);
        payload
    }
}

fn push<T>(waiting: &mut Vec<T>, new: T) {
    if waiting.len() >= WAITING {
        waiting.remove(0);
    }
    waiting.push(new);
}

fn xor(u: &HalfKey, v: &HalfKey) -> HalfKey {
    let mut key = Zeroizing::new([0; KEY]);
    for (byte, (u, v)) in key.iter_mut().zip(u.iter().zip(v.iter())) {
        *byte = u ^ v;
    }
    key
}

/// AES-256-GCM with a 16-byte IV before and the tag behind.
fn open(key: &HalfKey, mut payload: Vec<u8>) -> Result<Zeroizing<Vec<u8>>> {
    let too_short = format!("the payload has {} bytes, which is less than IV and tag", payload.len());
    let (iv, rest) = payload.split_first_chunk_mut::<IV>().context(too_short.clone())?;
    let (data, tag) = rest.split_last_chunk_mut::<TAG>().context(too_short)?;
    AesGcm::<Aes256, U16>::new(&(**key).into())
        .decrypt_inout_detached(&Nonce::<U16>::from(*iv), &[], (&mut *data).into(), &Tag::from(*tag))
        .map_err(|_| anyhow::anyhow!("the payload is not what the tenant encrypted"))?;
    Ok(Zeroizing::new(data.to_vec()))
}

/// Where payloads go: a folder whose files never reach a disk.
#[derive(Debug, Clone)]
pub struct PayloadFolder {
    folder: PathBuf,
    /// A program of this machine that is started with the payload's path; nothing that came over the network is run.
    run: Option<PathBuf>,
}

impl PayloadFolder {
    /// Makes the folder, for its owner alone.
    ///
    /// # Errors
    /// When it cannot be made, or lies on something else than a tmpfs or ramfs.
    pub fn new(folder: &Path, run: Option<PathBuf>) -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("making {}", folder.display()))?;
        let kind = rustix::fs::statfs(folder).with_context(|| folder.display().to_string())?.f_type;
        anyhow::ensure!(
            MEMORY_FILE_SYSTEMS.contains(&u64::try_from(kind).unwrap_or_default()),
            "{} is not in memory (tmpfs): payloads would be written to a disk",
            folder.display()
        );
        Ok(PayloadFolder { folder: folder.to_owned(), run })
    }

    /// Writes a payload, in the place of an earlier one, and starts the program that waits for it.
    pub(super) fn deliver(&self, payload: &[u8]) -> Result<PathBuf> {
        let (new, path) = (self.folder.join("payload.new"), self.folder.join("payload"));
        drop(std::fs::remove_file(&new));
        evtpm_io::file::write_private(&new, payload)?;
        std::fs::rename(&new, &path).with_context(|| format!("writing {}", path.display()))?;
        if let Some(program) = &self.run {
            start(program, &path, || {})?;
        }
        Ok(path)
    }
}

/// `TMPFS_MAGIC` and `RAMFS_MAGIC` of Linux.
const MEMORY_FILE_SYSTEMS: [u64; 2] = [0x0102_1994, 0x8584_58F6];

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) const NAME: &str = "d432fbb3-d2f1-4a97-9ef7-75bd81c00000";

    /// The tenant's half of a key, with a payload under the whole key.
    pub(in super::super) fn tenant(u: u8, v: u8, payload: &[u8]) -> TenantHalf {
        let key = [u ^ v; KEY];
        let mut data = payload.to_vec();
        let tag = AesGcm::<Aes256, U16>::new(&key.into())
            .encrypt_inout_detached(&Nonce::<U16>::from([9; IV]), &[], data.as_mut_slice().into())
            .unwrap();
        TenantHalf {
            half: Zeroizing::new([u; KEY]),
            auth_tag: RustCrypto::hmac(HashAlg::Sha384, &key, &[NAME.as_bytes()]).as_bytes().to_vec(),
            payload: Some([&[9; IV], &data[..], &tag[..]].concat()),
        }
    }

    fn half(byte: u8) -> HalfKey {
        Zeroizing::new([byte; KEY])
    }

    #[test]
    fn two_halves_open_the_payload_in_any_order() {
        for tenant_first in [true, false] {
            let mut halves = Halves::default();
            if tenant_first {
                halves.add_tenant(tenant(1, 2, b"payload"));
                assert!(halves.combine(NAME).is_none() && halves.key().is_none());
            }
            halves.add_verifier(half(2));
            if !tenant_first {
                assert!(halves.combine(NAME).is_none());
                halves.add_tenant(tenant(1, 2, b"payload"));
            }
            assert_eq!(*halves.combine(NAME).unwrap().unwrap(), b"payload");
            assert_eq!(halves.key().unwrap(), [3; KEY]);
        }
    }

    #[test]
    fn halves_that_do_not_fit_make_no_key() {
        let mut halves = Halves::default();
        halves.add_tenant(tenant(1, 2, b"payload"));
        halves.add_verifier(half(3));
        assert!(halves.combine(NAME).is_none() && halves.key().is_none());
        // Another agent's tag does not fit either.
        halves.add_verifier(half(2));
        assert!(halves.combine("another").is_none());
        assert!(halves.combine(NAME).is_some(), "and the right half is still awaited");
    }

    #[test]
    fn halves_that_nobody_wants_do_not_pile_up() {
        let mut halves = Halves::default();
        for byte in 0..100 {
            halves.add_verifier(half(byte));
            halves.add_tenant(tenant(byte, byte, b""));
        }
        assert_eq!((halves.verifier.len(), halves.tenant.len()), (WAITING, WAITING));
    }

    #[test]
    fn a_changed_payload_is_refused() {
        for change in [0, 20, 39] {
            let mut halves = Halves::default();
            let mut tenant = tenant(1, 2, b"payload!");
            tenant.payload.as_mut().unwrap()[change] ^= 1;
            halves.add_tenant(tenant);
            halves.add_verifier(half(2));
            assert!(halves.combine(NAME).unwrap().is_err());
        }
    }

    #[test]
    fn a_payload_lies_in_memory_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = PathBuf::from(format!("/dev/shm/evtpm-payload-{}", std::process::id()));
        let Ok(payloads) = PayloadFolder::new(&folder, None) else {
            println!("skipped: /dev/shm is no tmpfs");
            return;
        };
        payloads.deliver(b"first").unwrap();
        let path = payloads.deliver(b"second").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"second");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_folder_on_a_disk_is_refused() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        if rustix::fs::statfs(folder).is_ok_and(|fs| fs.f_type == 0x0102_1994) {
            println!("skipped: the sources are in a tmpfs");
            return;
        }
        let error = PayloadFolder::new(folder, None).unwrap_err();
        assert!(error.to_string().contains("not in memory"), "{error}");
    }
}
