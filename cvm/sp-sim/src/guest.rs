// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest's context in the processor (SNP ABI, "Guest Context"), from its first page to its last message.

use evtpm_crypto::{Crypto as _, EccCurve, EccPoint, EccSignature, HashAlg, Rng, RustCrypto};
use evtpm_snp::cpuid::CpuidPage;
use evtpm_snp::secrets::SecretsPage;
use evtpm_snp::signature::ECDSA_P384_SHA384;
use evtpm_snp::vmsa::Vmsa;
use evtpm_snp::{
    EcdsaPublicKey, EcdsaSignature, GuestPolicy, LaunchDigest, LaunchMeasurement, PAGE_SIZE, PageInfo, PageType,
    PlatformInfo, Status, TcbVersion, U32, id_block,
};
use zeroize::Zeroize as _;

use crate::command::{Identification, LaunchFinish, LaunchPage, LaunchStart};
use crate::error::Error;
use crate::platform::Platform;

/// GSTATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GuestState {
    Launch,
    Running,
}

/// What the ID block and the host say about the guest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GuestIdentity {
    pub(crate) family_id: [u8; 16],
    pub(crate) image_id: [u8; 16],
    pub(crate) guest_svn: u32,
    pub(crate) id_key_digest: [u8; 48],
    pub(crate) author_key_digest: [u8; 48],
    pub(crate) author_key_enabled: bool,
    pub(crate) host_data: [u8; 32],
}

/// The function with which launches are measured.
type Sha384 = fn(&[u8]) -> [u8; 48];

/// SEV_FEATURES: the guest has a TSC of its own.
const SEV_FEATURE_SECURE_TSC: u64 = 1 << 9;

/// A guest context.
pub(crate) struct Guest {
    pub(crate) state: GuestState,
    pub(crate) policy: GuestPolicy,
    pub(crate) measurement: LaunchMeasurement<Sha384>,
    pub(crate) identity: GuestIdentity,
    pub(crate) report_id: [u8; 32],
    pub(crate) launch_tcb: TcbVersion,
    pub(crate) launch_mitigations: u64,
    pub(crate) vmpck: [[u8; 32]; 4],
    /// MSG_COUNT of each key: the sequence number of the last message in either direction.
    pub(crate) message_count: [u64; 4],
    pub(crate) secure_tsc: bool,
    gosvw: [u8; 16],
}

impl Guest {
    /// Begins a launch: SNP_LAUNCH_START.
    pub(crate) fn start(platform: &Platform, start: &LaunchStart, rng: &mut dyn Rng) -> Result<Self, Error> {
        check_policy(platform, start.policy)?;

        let mut guest = Self {
            state: GuestState::Launch,
            policy: start.policy,
            measurement: LaunchMeasurement::new(sha384),
            identity: GuestIdentity {
                family_id: [0; 16],
                image_id: [0; 16],
                guest_svn: 0,
                id_key_digest: [0; 48],
                author_key_digest: [0; 48],
                author_key_enabled: false,
                host_data: [0; 32],
            },
            report_id: [0; 32],
            launch_tcb: platform.current_tcb.encode(),
            launch_mitigations: platform.mitigations,
            vmpck: [[0; 32]; 4],
            message_count: [0; 4],
            secure_tsc: false,
            gosvw: start.gosvw,
        };
        rng.fill(&mut guest.report_id)?;
        for key in &mut guest.vmpck {
            rng.fill(key)?;
        }
        Ok(guest)
    }

    /// Adds a page: SNP_LAUNCH_UPDATE.
    pub(crate) fn update(&mut self, platform: &Platform, page: LaunchPage<'_>) -> Result<(), Status> {
        if self.state != GuestState::Launch {
            return Err(Status::INVALID_GUEST_STATE);
        }
        if !page.gpa.is_multiple_of(PAGE_SIZE as u64) {
            return Err(Status::INVALID_ADDRESS);
        }
        let contents = match page.page_type {
            PageType::Normal | PageType::Vmsa => sha384(page.contents),
            PageType::Zero | PageType::Unmeasured | PageType::Secrets | PageType::Cpuid => [0; 48],
        };
        match page.page_type {
            PageType::Normal | PageType::Unmeasured => {}
            PageType::Zero => page.contents.fill(0),
            PageType::Vmsa => self.note_vmsa(page.contents)?,
            PageType::Secrets => *page.contents = *self.secrets_page(platform).as_bytes(),
            PageType::Cpuid => check_cpuid_page(page.contents)?,
        }

        let [vmpl1_perms, vmpl2_perms, vmpl3_perms] = page.vmpl_permissions;
        let info = PageInfo::new(self.measurement.digest(), page.page_type, page.gpa, contents);
        self.measurement.add(&PageInfo { vmpl1_perms, vmpl2_perms, vmpl3_perms, ..info });
        Ok(())
    }

    /// Ends the launch: SNP_LAUNCH_FINISH.
    pub(crate) fn finish(&mut self, finish: &LaunchFinish<'_>) -> Result<(), Status> {
        if self.state != GuestState::Launch {
            return Err(Status::INVALID_GUEST_STATE);
        }
        let mut identity = GuestIdentity { host_data: finish.host_data, ..self.identity };
        if let Some(identification) = &finish.identification {
            check_identification(identification, self.measurement.digest(), self.policy)?;
            let block = identification.block;
            identity.family_id = block.family_id;
            identity.image_id = block.image_id;
            identity.guest_svn = block.guest_svn.get();
            identity.id_key_digest = sha384(identification.auth.id_key.as_bytes());
            identity.author_key_enabled = identification.author_key_enabled;
            if identification.author_key_enabled {
                identity.author_key_digest = sha384(identification.auth.author_key.as_bytes());
            }
        }

        self.identity = identity;
        self.state = GuestState::Running;
        Ok(())
    }

    fn note_vmsa(&mut self, page: &[u8; PAGE_SIZE]) -> Result<(), Status> {
        let vmsa = Vmsa::view(page).map_err(|_| Status::INVALID_PARAM)?;
        self.secure_tsc |= vmsa.sev_features.get() & SEV_FEATURE_SECURE_TSC != 0;
        Ok(())
    }

    fn secrets_page(&self, platform: &Platform) -> SecretsPage {
        let (family, model, stepping) = platform.product.cpuid();
        let mut page = SecretsPage::zeroed();
        page.version = U32::new(SECRETS_PAGE_VERSION);
        page.fms = U32::new(evtpm_snp::cpuid::signature(family, model, stepping));
        page.gosvw = self.gosvw;
        page.vmpck = self.vmpck;
        page
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.vmpck.zeroize();
    }
}

/// The version of the secrets page in which the TSC factor is defined.
const SECRETS_PAGE_VERSION: u32 = 3;

pub(crate) fn sha384(data: &[u8]) -> [u8; 48] {
    let digest = RustCrypto::hash(HashAlg::Sha384, &[data]);
    let mut out = [0; 48];
    out.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
    out
}

/// SNP_LAUNCH_START: the policy is refused if it is malformed, or if this platform does not meet it.
fn check_policy(platform: &Platform, policy: GuestPolicy) -> Result<(), Status> {
    if !policy.is_well_formed() {
        return Err(Status::INVALID_PARAM);
    }
    let firmware = platform.current_firmware;
    let info = platform.platform_info;
    let unmet = [
        policy.abi() > (firmware.major, firmware.minor),
        info.contains(PlatformInfo::SMT) && !policy.contains(GuestPolicy::SMT),
        policy.contains(GuestPolicy::RAPL_DISABLED) && !info.contains(PlatformInfo::RAPL_DISABLED),
        policy.contains(GuestPolicy::CIPHERTEXT_HIDING) && !info.contains(PlatformInfo::CIPHERTEXT_HIDING),
    ];
    if unmet.contains(&true) { Err(Status::POLICY_FAILURE) } else { Ok(()) }
}

fn check_cpuid_page(contents: &[u8; PAGE_SIZE]) -> Result<(), Status> {
    let page = CpuidPage::view(contents).map_err(|_| Status::INVALID_PARAM)?;
    page.in_use().map(|_| ()).map_err(|_| Status::INVALID_PARAM)
}

/// SNP_LAUNCH_FINISH: keys and signatures, then what the block states.
fn check_identification(
    identification: &Identification<'_>,
    digest: LaunchDigest,
    policy: GuestPolicy,
) -> Result<(), Status> {
    let (block, auth) = (identification.block, identification.auth);
    if identification.author_key_enabled {
        if auth.author_key_algorithm.get() != ECDSA_P384_SHA384 {
            return Err(Status::INVALID_PARAM);
        }
        check_signature(&auth.author_key, auth.id_key.as_bytes(), &auth.id_key_signature)?;
    }
    if auth.id_key_algorithm.get() != ECDSA_P384_SHA384 {
        return Err(Status::INVALID_PARAM);
    }
    check_signature(&auth.id_key, block.as_bytes(), &auth.id_block_signature)?;

    if block.version.get() != id_block::VERSION {
        return Err(Status::BAD_VERSION);
    }
    if block.launch_digest != digest.0 {
        return Err(Status::BAD_MEASUREMENT);
    }
    if block.policy.get() != policy.0 {
        return Err(Status::POLICY_FAILURE);
    }
    Ok(())
}

fn check_signature(key: &EcdsaPublicKey, message: &[u8], signature: &EcdsaSignature) -> Result<(), Status> {
    let (x, y) = key.to_be().ok_or(Status::INVALID_PARAM)?;
    let public = EccPoint::new(EccCurve::P384, &x, &y).map_err(|_| Status::INVALID_PARAM)?;
    let (Some(r), Some(s)) = (signature.r_be(), signature.s_be()) else {
        return Err(Status::BAD_SIGNATURE);
    };
    let signature = EccSignature::new(EccCurve::P384, &r, &s).map_err(|_| Status::BAD_SIGNATURE)?;
    RustCrypto::ecdsa_verify(&public, &sha384(message), &signature).map_err(|_| Status::BAD_SIGNATURE)
}
