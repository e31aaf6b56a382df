// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Asking a TPM what it can do and what it holds (Part 3, "TPM2_GetCapability").
use alloc::vec::Vec;

use evtpm_crypto::Rng;
use evtpm_tpm_wire::commands::GetCapability;
use evtpm_tpm_wire::{
    Handle, TpmCap, TpmPt, TpmaCc, TpmlPcrSelection, TpmsAlgProperty, TpmsCapabilityData, TpmsTaggedProperty,
};

use crate::{Client, ClientError, Transport};

/// As many values as a TPM puts into one response.
const ALL: u32 = 254;

impl<T: Transport, R: Rng> Client<T, R> {
    /// Returns one response to a question for a capability, and whether there is more.
    pub fn capability(
        &mut self,
        capability: TpmCap,
        property: u32,
        property_count: u32,
    ) -> Result<(TpmsCapabilityData, bool), ClientError> {
        let answer = self.run((), &GetCapability { capability, property, property_count }, &mut [])?;
        Ok((answer.capability_data, answer.more_data.is_yes()))
    }

    /// Returns the value of a property of the TPM, if it has it.
    pub fn property(&mut self, property: TpmPt) -> Result<Option<u32>, ClientError> {
        match self.capability(TpmCap::TpmProperties, property.0, 1)?.0 {
            TpmsCapabilityData::TpmProperties(list) => {
                Ok(list.iter().find(|tagged| tagged.property == property).map(|tagged| tagged.value))
            }
            _ => Err(ClientError::Capability { what: "properties" }),
        }
    }

    /// Returns all properties from `first` on.
    pub fn properties(&mut self, first: TpmPt) -> Result<Vec<TpmsTaggedProperty>, ClientError> {
        let wrong = || ClientError::Capability { what: "properties" };
        self.collect(TpmCap::TpmProperties, first.0, |data| match data {
            TpmsCapabilityData::TpmProperties(list) => Ok(list.iter().map(|item| (item.property.0, *item)).collect()),
            _ => Err(wrong()),
        })
    }

    /// Returns all handles of the kind of `first`, from `first` on.
    pub fn handles(&mut self, first: Handle) -> Result<Vec<Handle>, ClientError> {
        let wrong = || ClientError::Capability { what: "handles" };
        self.collect(TpmCap::Handles, first.0, |data| match data {
            TpmsCapabilityData::Handles(list) => Ok(list.iter().map(|item| (item.0, *item)).collect()),
            _ => Err(wrong()),
        })
    }

    /// Returns all commands with their attributes.
    pub fn commands(&mut self) -> Result<Vec<TpmaCc>, ClientError> {
        let wrong = || ClientError::Capability { what: "commands" };
        self.collect(TpmCap::Commands, 0, |data| match data {
            TpmsCapabilityData::Commands(list) => Ok(list.iter().map(|item| (item.command_index(), *item)).collect()),
            _ => Err(wrong()),
        })
    }

    /// Returns all algorithms.
    pub fn algorithms(&mut self) -> Result<Vec<TpmsAlgProperty>, ClientError> {
        let wrong = || ClientError::Capability { what: "algorithms" };
        self.collect(TpmCap::Algs, 0, |data| match data {
            TpmsCapabilityData::Algs(list) => Ok(list.iter().map(|item| (u32::from(item.alg.0), *item)).collect()),
            _ => Err(wrong()),
        })
    }

    /// Returns the PCRs that are allocated in each bank.
    pub fn pcr_banks(&mut self) -> Result<TpmlPcrSelection, ClientError> {
        match self.capability(TpmCap::Pcrs, 0, 1)?.0 {
            TpmsCapabilityData::Pcrs(list) => Ok(list),
            _ => Err(ClientError::Capability { what: "PCR banks" }),
        }
    }

    /// Asks until nothing is left. `read` returns the items with the numbers that the next question goes on from.
    fn collect<I>(
        &mut self,
        capability: TpmCap,
        first: u32,
        read: impl Fn(&TpmsCapabilityData) -> Result<Vec<(u32, I)>, ClientError>,
    ) -> Result<Vec<I>, ClientError> {
        let mut all = Vec::new();
        let mut next = first;
        loop {
            let (data, more) = self.capability(capability, next, ALL)?;
            let items = read(&data)?;
            let last = items.last().map(|(number, _)| *number);
            all.extend(items.into_iter().map(|(_, item)| item));
            match last.and_then(|last| last.checked_add(1)).filter(|after| more && *after > next) {
                Some(after) => next = after,
                None if more => return Err(ClientError::Capability { what: "the rest of a list" }),
                None => return Ok(all),
            }
        }
    }
}
