// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the device's maker certified for its TPM (TCG "TPM 2.0 Keys for Device Identity and Attestation"): the initial attestation
//! key (IAK), which certifies our attestation key, and the initial identity (IDevID).

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use evtpm_client::{Client, Object, Transport};
use evtpm_crypto::Rng;
use evtpm_keylime::registrar::DeviceKeys;
use evtpm_protocol::templates::device::DeviceTemplate;
use evtpm_tpm_wire::{Handle, TpmiRhHierarchy, TpmtPublic};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::keys::{Keys, bytes_of, sized};
use crate::nv_certificate;

/// A key of the device: where it is kept, and where its certificate is.
struct Place {
    name: &'static str,
    handle: Handle,
    certificate: Handle,
}

const IAK: Place = Place { name: "IAK", handle: Handle(0x8102_0001), certificate: Handle(0x01C9_0100) };
const IDEVID: Place = Place { name: "IDevID", handle: Handle(0x8102_0000), certificate: Handle(0x01C9_0200) };

/// Where the TPM has the keys from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKeySource {
    /// They persist: IAK at 0x81020001, IDevID at 0x81020000.
    Persisted,
    /// They are made by a template of the profile.
    Made(DeviceTemplate),
}

impl FromStr for DeviceKeySource {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "persisted" => Ok(Self::Persisted),
            "H-1" => Ok(Self::Made(DeviceTemplate::H1)),
            "H-2" => Ok(Self::Made(DeviceTemplate::H2)),
            "H-3" => Ok(Self::Made(DeviceTemplate::H3)),
            "H-4" => Ok(Self::Made(DeviceTemplate::H4)),
            other => Err(anyhow!("`{other}` is not persisted, H-1, H-2, H-3 or H-4")),
        }
    }
}

/// What a registrar is shown of the device; nothing without `--device-keys`.
#[derive(Debug, Clone, Default, Args)]
pub struct Device {
    /// Register with the keys that the device's maker certified (IAK and IDevID) too: persisted (at 0x81020001 and 0x81020000), or
    /// made by a template of TCG's profile: H-1 (RSA-2048), H-2 (P-256), H-3 (P-384), H-4 (P-521).
    #[arg(long = "device-keys", value_name = "persisted|H-1|H-2|H-3|H-4")]
    pub source: Option<DeviceKeySource>,
    /// The IAK's certificate (PEM, DER); without it, what the TPM's NV index 0x01C90100 holds.
    #[arg(long, value_name = "FILE", requires = "source")]
    pub iak_certificate: Option<PathBuf>,
    /// The IDevID's certificate (PEM, DER); without it, what the TPM's NV index 0x01C90200 holds.
    #[arg(long, value_name = "FILE", requires = "source")]
    pub idevid_certificate: Option<PathBuf>,
}

impl Device {
    /// Returns both keys and their certificates, and what the IAK says of our attestation key over `qualifying_data`.
    ///
    /// # Errors
    /// Names the key or certificate that is not there, or the step that the TPM refused.
    pub(super) fn show<T: Transport, R: Rng>(
        &self,
        keys: &mut Keys<T, R>,
        qualifying_data: &[u8],
    ) -> Result<DeviceKeys> {
        let Some(source) = self.source else { return Ok(DeviceKeys::default()) };
        // A small TPM has three places: attestation key, one of these, and one to spare.
        keys.unload_endorsement_key()?;
        let idevid = source.take_up(&mut keys.tpm, &IDEVID, DeviceTemplate::identity)?;
        source.put_down(&mut keys.tpm, &idevid)?;
        let iak = source.take_up(&mut keys.tpm, &IAK, DeviceTemplate::attestation_key)?;
        let certified = keys.tpm.certify(&keys.ak, &iak, qualifying_data);
        source.put_down(&mut keys.tpm, &iak)?;
        let certified = certified.context("having the IAK certify the attestation key")?;
        let text = |bytes: &[u8]| Some(STANDARD.encode(bytes));
        Ok(DeviceKeys {
            iak_tpm: text(&sized(&iak.public)?),
            iak_cert: text(&certificate(&mut keys.tpm, &IAK, self.iak_certificate.as_deref())?),
            idevid_tpm: text(&sized(&idevid.public)?),
            idevid_cert: text(&certificate(&mut keys.tpm, &IDEVID, self.idevid_certificate.as_deref())?),
            iak_attest: text(certified.attest.as_bytes()),
            iak_sign: text(&bytes_of(&certified.signature)?),
        })
    }
}

impl DeviceKeySource {
    fn take_up<T: Transport, R: Rng>(
        self,
        tpm: &mut Client<T, R>,
        place: &Place,
        public: fn(DeviceTemplate) -> TpmtPublic,
    ) -> Result<Object> {
        let name = place.name;
        match self {
            Self::Persisted => {
                tpm.object(place.handle).with_context(|| format!("the {name} at {:#010x}", place.handle.0))
            }
            Self::Made(template) => {
                let made = tpm.create_primary(TpmiRhHierarchy::Endorsement, &[], &public(template));
                made.with_context(|| format!("making the {name}"))
            }
        }
    }

    fn put_down<T: Transport, R: Rng>(self, tpm: &mut Client<T, R>, key: &Object) -> Result<()> {
        match self {
            Self::Persisted => Ok(()),
            Self::Made(_) => tpm.flush(key.handle).context("flushing a key of the device"),
        }
    }
}

/// Reads a certificate from its file, or from the TPM; returns it as DER.
fn certificate<T: Transport, R: Rng>(tpm: &mut Client<T, R>, place: &Place, file: Option<&Path>) -> Result<Vec<u8>> {
    let Some(file) = file else {
        let index = tpm.nv_read(place.certificate, &[]);
        let index =
            index.with_context(|| format!("the {}'s certificate at {:#010x}", place.name, place.certificate.0))?;
        return Ok(nv_certificate::certificate(&index).unwrap_or(&index).to_vec());
    };
    let bytes = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    Ok(CertificateDer::from_pem_slice(&bytes).map_or(bytes, |certificate| certificate.to_vec()))
}

#[cfg(test)]
mod tests {
    use evtpm_engine::{Profile, Tpm};
    use evtpm_protocol::templates::attestation_key;
    use evtpm_testing_support::{Direct, Noise, TestPlatform};
    use evtpm_tpm_wire::TpmSu;

    use super::*;

    fn keys() -> Keys<Direct, Noise> {
        let tpm = Tpm::manufacture(TestPlatform::new(Noise::Good(11)), Profile::svsm()).unwrap();
        let mut tpm = Client::new(Direct(tpm), Noise::Good(2));
        tpm.startup(TpmSu::Clear).unwrap();
        Keys::with_attestation_key(tpm, &attestation_key()).unwrap()
    }

    fn device(source: DeviceKeySource, name: &str) -> Device {
        let file = std::env::temp_dir().join(format!("evtpm-device-{name}-{}", std::process::id()));
        std::fs::write(&file, b"\x30\x03DER").unwrap();
        Device { source: Some(source), iak_certificate: Some(file.clone()), idevid_certificate: Some(file) }
    }

    #[test]
    fn keys_that_are_made_and_keys_that_persist_are_shown_alike() {
        let mut keys = keys();
        let made = device(DeviceKeySource::Made(DeviceTemplate::H2), "both");
        let first = made.show(&mut keys, b"digest of a name").unwrap();
        for (place, public) in [(IAK, DeviceTemplate::H2.attestation_key()), (IDEVID, DeviceTemplate::H2.identity())] {
            let key = keys.tpm.create_primary(TpmiRhHierarchy::Endorsement, &[], &public).unwrap();
            keys.tpm.make_persistent(&key, &[], place.handle).unwrap();
            keys.tpm.flush(key.handle).unwrap();
        }
        let second = device(DeviceKeySource::Persisted, "both").show(&mut keys, b"digest of a name").unwrap();
        assert_eq!((&first.iak_tpm, &first.idevid_tpm), (&second.iak_tpm, &second.idevid_tpm));
        assert_eq!(first.iak_cert, Some(STANDARD.encode(b"\x30\x03DER")));
        std::fs::remove_file(made.iak_certificate.unwrap()).unwrap();
    }

    #[test]
    fn what_is_not_there_is_named() {
        let mut keys = keys();
        let persisted = Device { source: Some(DeviceKeySource::Persisted), ..Device::default() };
        let error = persisted.show(&mut keys, &[]).unwrap_err();
        assert!(error.to_string().contains("IDevID at 0x81020000"), "{error}");
        let made = Device { source: Some(DeviceKeySource::Made(DeviceTemplate::H2)), ..Device::default() };
        let error = made.show(&mut keys, &[]).unwrap_err();
        assert!(error.to_string().contains("IAK's certificate at 0x01c90100"), "{error}");
        assert_eq!(Device::default().show(&mut keys, &[]).unwrap(), DeviceKeys::default());
    }

    #[test]
    fn a_source_has_the_names_of_the_profile() {
        assert_eq!("H-3".parse::<DeviceKeySource>().unwrap(), DeviceKeySource::Made(DeviceTemplate::H3));
        assert!("H-5".parse::<DeviceKeySource>().unwrap_err().to_string().contains("H-5"));
    }
}
