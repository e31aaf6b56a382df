// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure processor: its guests, its generator, its endorsement keys, and the commands that a host gives.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use evtpm_crypto::RustCrypto;
use evtpm_crypto::drbg::HmacDrbg;
use evtpm_snp::cert_table;
use evtpm_snp::{GuestMessage, SigningKey, Status};

use crate::authority::{Authority, Role};
use crate::command::{GuestHandle, LaunchFinish, LaunchPage, LaunchStart};
use crate::endorsement::{EndorsementKey, chip_id};
use crate::error::Error;
use crate::guest::Guest;
use crate::platform::Platform;

/// The most guests at a time, as many as a processor has identifiers for.
const MAX_GUESTS: usize = 1006;

/// A simulated secure processor.
pub struct Processor {
    pub(crate) platform: Platform,
    pub(crate) chip_id: [u8; 64],
    pub(crate) vcek: EndorsementKey,
    pub(crate) vlek: Option<EndorsementKey>,
    pub(crate) rng: HmacDrbg<RustCrypto>,
    guests: BTreeMap<GuestHandle, Guest>,
    next_guest: u32,
}

impl Processor {
    /// Powers a platform on; everything that has to be random follows from `entropy`.
    ///
    /// # Errors
    /// The platform is one that cannot exist.
    pub fn new(platform: Platform, entropy: &[u8; 32]) -> Result<Self, Error> {
        platform.check()?;
        let vlek = match &platform.vlek {
            Some(csp_id) => Some(EndorsementKey::vlek(&platform, csp_id)?),
            None => None,
        };
        Ok(Self {
            chip_id: chip_id(&platform),
            vcek: EndorsementKey::vcek(&platform)?,
            vlek,
            rng: HmacDrbg::new(entropy, &platform.chip_seed, b"evtpm simulated secure processor"),
            guests: BTreeMap::new(),
            next_guest: 1,
            platform,
        })
    }

    /// Returns the platform's configuration.
    #[must_use]
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Begins the launch of a guest: SNP_LAUNCH_START.
    ///
    /// # Errors
    /// INVALID_PARAM or POLICY_FAILURE if the policy is malformed or not met, RESOURCE_LIMIT.
    pub fn launch_start(&mut self, start: &LaunchStart) -> Result<GuestHandle, Status> {
        if self.guests.len() >= MAX_GUESTS {
            return Err(Status::RESOURCE_LIMIT);
        }
        let handle = GuestHandle(self.next_guest);
        let guest = Guest::start(&self.platform, start, &mut self.rng)?;
        self.next_guest = self.next_guest.checked_add(1).ok_or(Status::RESOURCE_LIMIT)?;

        self.guests.insert(handle, guest);
        Ok(handle)
    }

    /// Adds a page to a guest under launch: SNP_LAUNCH_UPDATE.
    ///
    /// # Errors
    /// INVALID_GUEST, INVALID_GUEST_STATE, INVALID_ADDRESS, INVALID_PARAM.
    pub fn launch_update(&mut self, guest: GuestHandle, page: LaunchPage<'_>) -> Result<(), Status> {
        self.guests.get_mut(&guest).ok_or(Status::INVALID_GUEST)?.update(&self.platform, page)
    }

    /// Ends the launch of a guest, which can send messages from now on: SNP_LAUNCH_FINISH.
    ///
    /// # Errors
    /// INVALID_GUEST, INVALID_GUEST_STATE, and with an ID block INVALID_PARAM, BAD_SIGNATURE, BAD_VERSION,
    /// BAD_MEASUREMENT, POLICY_FAILURE.
    pub fn launch_finish(&mut self, guest: GuestHandle, finish: &LaunchFinish<'_>) -> Result<(), Status> {
        self.guests.get_mut(&guest).ok_or(Status::INVALID_GUEST)?.finish(finish)
    }

    /// Takes a guest's message and answers it: SNP_GUEST_REQUEST.
    ///
    /// # Errors
    /// INVALID_GUEST, INVALID_GUEST_STATE, INVALID_PARAM, AEAD_OFLOW; `response` is unchanged then.
    pub fn guest_request(
        &mut self,
        guest: GuestHandle,
        request: &GuestMessage,
        response: &mut GuestMessage,
    ) -> Result<(), Status> {
        let mut context = self.guests.remove(&guest).ok_or(Status::INVALID_GUEST)?;
        let result = self.answer(&mut context, request, response);
        self.guests.insert(guest, context);
        result
    }

    /// Forgets a guest: SNP_DECOMMISSION.
    ///
    /// # Errors
    /// INVALID_GUEST.
    pub fn decommission(&mut self, guest: GuestHandle) -> Result<(), Status> {
        self.guests.remove(&guest).map(|_| ()).ok_or(Status::INVALID_GUEST)
    }

    /// Returns the certificate of an endorsement key, as the key distribution service or the provider has it.
    ///
    /// # Errors
    /// [`Error::NoVlek`] if it is the VLEK's and there is none.
    pub fn endorsement_certificate(&self, key: SigningKey) -> Result<Vec<u8>, Error> {
        let authority = Authority::new(self.platform.product);
        match (key, &self.vlek, &self.platform.vlek) {
            (SigningKey::Vlek, Some(vlek), Some(csp_id)) => authority.vlek_certificate(&self.platform, vlek, csp_id),
            (SigningKey::Vlek, ..) => Err(Error::NoVlek),
            _ => authority.vcek_certificate(&self.platform, &self.vcek, &self.chip_id),
        }
    }

    /// Returns the certificate table that a well-meaning host gives to guests: endorsement key, intermediate, root.
    ///
    /// # Errors
    /// A signature fails.
    pub fn certificate_table(&self) -> Result<Vec<u8>, Error> {
        let authority = Authority::new(self.platform.product);
        let ark = authority.certificate(Role::Ark)?;
        let mut certificates = Vec::new();
        if self.vlek.is_some() {
            certificates.push((cert_table::VLEK, self.endorsement_certificate(SigningKey::Vlek)?));
            certificates.push((cert_table::ASK, authority.certificate(Role::Asvk)?));
        } else {
            certificates.push((cert_table::VCEK, self.endorsement_certificate(SigningKey::Vcek)?));
            certificates.push((cert_table::ASK, authority.certificate(Role::Ask)?));
        }
        certificates.push((cert_table::ARK, ark));

        let entries: Vec<_> = certificates.iter().map(|(guid, der)| (*guid, der.as_slice())).collect();
        let mut table = vec![0; cert_table::table_size(&entries)];
        cert_table::write_table(&entries, &mut table).map_err(|_| Status::INVALID_LENGTH)?;
        Ok(table)
    }
}

impl fmt::Debug for Processor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Processor")
            .field("product", &self.platform.product)
            .field("guests", &self.guests.len())
            .finish_non_exhaustive()
    }
}
