// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Learning from hardware other than AMD's: what it is, as it is.

use evtpm_verify::{
    azure::ParavisorClaims,
    cca::{PlatformClaims, RealmClaims},
    csv::{CsvClaims, GuestPolicy},
    dcap::{DcapClaims, TcbStatus, Tee},
    nitro::NitroClaims,
    nvidia::DeviceClaims,
    psa::PsaClaims,
    s390::SeClaims,
    software::Component,
};

use super::LearnError;
use crate::{
    claims::{Challenge, Claims, Proven},
    finding::Layer,
    policy::{
        AtLeastOne, AzurePolicy, Bytes, CcaPolicy, CsvPolicy, HexBytes, Index, IntelPlatform, IntelTcb, LifecycleState,
        NitroPolicy, NvidiaPolicy, Policy, PsaPolicy, S390Policy, SgxPolicy, TdxPolicy,
    },
};

/// Registers of a Nitro enclave that are the image's alone: kernel, application, signer; others are the parent's.
const IMAGE_REGISTERS: [u8; 3] = [1, 2, 8];

/// Learns every section about a vendor's hardware.
pub(super) fn learn(policy: &mut Policy, claims: &Claims) -> Result<(), LearnError> {
    policy.tdx = claims.td().map(tdx).transpose()?;
    policy.sgx = claims.enclave().map(sgx).transpose()?;
    policy.azure = claims.paravisor().map(azure);
    policy.nitro = claims.nitro().map(nitro).transpose()?;
    if let (Some(platform), Some(realm)) = (claims.cca_platform(), claims.cca_realm()) {
        policy.cca = Some(cca(platform.claims(), realm)?);
    }
    policy.psa = claims.psa().map(psa).transpose()?;
    policy.nvidia = nvidia(claims.nvidia());
    policy.s390 = claims.s390().map(s390);
    policy.csv = claims.csv().map(csv).transpose()?;
    Ok(())
}

fn tdx(quote: &Proven<DcapClaims>) -> Result<TdxPolicy, LearnError> {
    let claims = quote.claims();
    let Tee::Tdx(td) = &claims.tee else { return Err(LearnError::NoReport) };
    refuse_debug(claims.debug, Layer::Tdx)?;
    let [rtmr0, rtmr1, rtmr2, rtmr3] = td.rtmrs.map(|value| vec![Bytes(value)]);
    Ok(TdxPolicy {
        measurements: AtLeastOne::new(Bytes(td.mr_td)),
        rtmr0,
        rtmr1,
        rtmr2,
        rtmr3,
        modules: Vec::new(),
        config_ids: named(td.mr_config_id),
        owners: named(td.mr_owner),
        attributes: vec![Bytes(td.attributes)],
        xfam: vec![Bytes(td.xfam)],
        report_data: Vec::new(),
        allow_debug: false,
        allow_recorded: is_recorded(quote),
        platform: platform(claims)?,
    })
}

fn sgx(quote: &Proven<DcapClaims>) -> Result<SgxPolicy, LearnError> {
    let claims = quote.claims();
    let Tee::Sgx { mr_enclave, mr_signer, product_id, security_version } = &claims.tee else {
        return Err(LearnError::NoReport);
    };
    refuse_debug(claims.debug, Layer::Sgx)?;
    Ok(SgxPolicy {
        enclaves: vec![Bytes(*mr_enclave)],
        signers: vec![Bytes(*mr_signer)],
        products: vec![*product_id],
        min_security_version: *security_version,
        report_data: Vec::new(),
        allow_debug: false,
        allow_recorded: is_recorded(quote),
        platform: platform(claims)?,
    })
}

fn platform(claims: &DcapClaims) -> Result<IntelPlatform, LearnError> {
    let mut platform = IntelPlatform { fmspcs: vec![Bytes(claims.platform.fmspc)], ..IntelPlatform::default() };
    match &claims.tcb {
        TcbStatus::Unchecked => platform.allow_unchecked_tcb = true,
        TcbStatus::BelowEveryLevel => return Err(LearnError::Platform { status: "below every level".to_owned() }),
        TcbStatus::Judged { status, advisories } => {
            let known = IntelTcb::from_name(status).ok_or_else(|| LearnError::Platform { status: status.clone() })?;
            platform.tcb = AtLeastOne::new(known);
            platform.advisories.clone_from(advisories);
        }
    }
    Ok(platform)
}

fn azure(claims: &ParavisorClaims) -> AzurePolicy {
    let configuration = &claims.configuration;
    AzurePolicy {
        secure_boot: configuration.secure_boot,
        allow_console: configuration.console_enabled != Some(false),
        allow_persisted_tpm: configuration.tpm_persisted != Some(false),
        ..AzurePolicy::default()
    }
}

fn nitro(document: &Proven<NitroClaims>) -> Result<NitroPolicy, LearnError> {
    let claims = document.claims();
    refuse_debug(claims.debug, Layer::Nitro)?;
    let register = |number: u8| {
        let found = claims.pcrs.iter().find(|(register, _)| *register == number)?;
        <[u8; 48]>::try_from(found.1.as_slice()).ok().filter(|value| *value != [0; 48]).map(Bytes)
    };
    let measurement = register(0).ok_or(LearnError::NoReport)?;
    let pcrs =
        IMAGE_REGISTERS.into_iter().filter_map(|number| Some((Index(number), AtLeastOne::new(register(number)?))));
    Ok(NitroPolicy {
        measurements: AtLeastOne::new(measurement),
        pcrs: pcrs.collect(),
        user_data: Vec::new(),
        allow_debug: false,
        allow_recorded: is_recorded(document),
    })
}

fn cca(platform: &PlatformClaims, realm: &Proven<RealmClaims>) -> Result<CcaPolicy, LearnError> {
    let claims = realm.claims();
    let rem = |number: usize| {
        claims.extensible_measurements.get(number).map(|value| HexBytes(value.clone())).into_iter().collect()
    };
    Ok(CcaPolicy {
        measurements: AtLeastOne::new(HexBytes(claims.initial_measurement.clone())),
        rem0: rem(0),
        rem1: rem(1),
        rem2: rem(2),
        rem3: rem(3),
        personalizations: Vec::new(),
        implementations: implementation(&platform.implementation_id)?,
        lifecycle: lifecycle(platform.lifecycle, Layer::CcaPlatform)?,
        configs: vec![HexBytes(platform.config.clone())],
        components: distinct(&platform.components, |component| &component.measurement),
        signers: distinct(&platform.components, |component| &component.signer),
        allow_recorded: is_recorded(realm),
    })
}

fn psa(token: &Proven<PsaClaims>) -> Result<PsaPolicy, LearnError> {
    let claims = token.claims();
    Ok(PsaPolicy {
        implementations: implementation(&claims.implementation_id)?,
        instances: Vec::new(),
        lifecycle: lifecycle(claims.lifecycle, Layer::Psa)?,
        components: distinct(&claims.components, |component| &component.measurement),
        signers: distinct(&claims.components, |component| &component.signer),
        allow_nonsecure_caller: claims.client_id < 0,
        allow_recorded: is_recorded(token),
    })
}

/// What all devices agree on is learnt; the rest is each device's own.
fn nvidia(devices: &[Proven<DeviceClaims>]) -> Option<NvidiaPolicy> {
    let first = devices.first()?.claims();
    let is_common =
        |measurement: &&(u8, Vec<u8>)| devices.iter().all(|device| device.claims().measurements.contains(measurement));
    let measurements = first.measurements.iter().filter(is_common);
    let mut policy = NvidiaPolicy {
        measurements: measurements
            .map(|(index, value)| (Index(*index), AtLeastOne::new(HexBytes(value.clone()))))
            .collect(),
        min_devices: u32::try_from(devices.len()).unwrap_or(u32::MAX),
        allow_recorded: devices.iter().any(is_recorded),
        ..NvidiaPolicy::default()
    };
    for device in devices.iter().map(Proven::claims) {
        policy.driver_versions.extend(device.driver_version.clone());
        policy.vbios_versions.extend(device.vbios());
    }
    for versions in [&mut policy.driver_versions, &mut policy.vbios_versions] {
        versions.sort();
        versions.dedup();
    }
    Some(policy)
}

fn s390(guest: &Proven<SeClaims>) -> S390Policy {
    S390Policy {
        image_tags: AtLeastOne::new(Bytes(guest.claims().image_tag)),
        user_data: Vec::new(),
        additional_data: Vec::new(),
        allow_recorded: is_recorded(guest),
    }
}

fn csv(guest: &Proven<CsvClaims>) -> Result<CsvPolicy, LearnError> {
    let claims = guest.claims();
    let bits = claims.policy;
    refuse_debug(!bits.has(GuestPolicy::NO_DEBUG), Layer::Csv)?;
    let registers = claims.registers.into_iter().flatten().map(|value| AtLeastOne::new(Bytes(value)));
    Ok(CsvPolicy {
        measurements: AtLeastOne::new(Bytes(claims.measurement)),
        registers: (0..).map(Index).zip(registers).collect(),
        vm_ids: Vec::new(),
        vm_versions: vec![Bytes(claims.vm_version)],
        owner_keys: vec![Bytes(claims.owner_key_digest)],
        report_data: Vec::new(),
        require_csv3: bits.has(GuestPolicy::CSV3),
        allow_debug: false,
        allow_visible_registers: !bits.has(GuestPolicy::ENCRYPTED_STATE),
        allow_migration: !bits.has(GuestPolicy::NO_SEND),
        allow_recorded: is_recorded(guest),
    })
}

fn refuse_debug(debug: bool, layer: Layer) -> Result<(), LearnError> {
    if debug { Err(LearnError::Debug { layer }) } else { Ok(()) }
}

fn is_recorded<T>(proven: &Proven<T>) -> bool {
    matches!(proven.challenge(), Challenge::Recorded | Challenge::Unchecked)
}

/// A value that the host gave; zeros stand for none.
fn named(value: [u8; 48]) -> Vec<Bytes<48>> {
    if value == [0; 48] { Vec::new() } else { vec![Bytes(value)] }
}

fn implementation(id: &[u8]) -> Result<AtLeastOne<Bytes<32>>, LearnError> {
    id.try_into().map(|id| AtLeastOne::new(Bytes(id))).map_err(|_| LearnError::NoReport)
}

fn lifecycle(number: u16, layer: Layer) -> Result<AtLeastOne<LifecycleState>, LearnError> {
    match LifecycleState::from_number(number) {
        Some(LifecycleState::Secured) => Ok(AtLeastOne::new(LifecycleState::Secured)),
        _ => Err(LearnError::Debug { layer }),
    }
}

fn distinct(components: &[Component], field: impl Fn(&Component) -> &Vec<u8>) -> Vec<HexBytes> {
    let mut values: Vec<HexBytes> = components.iter().map(|component| HexBytes(field(component).clone())).collect();
    values.sort();
    values.dedup();
    values
}
