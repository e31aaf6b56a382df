// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The engine by itself: an ordinary TPM whose NV memory lives as long as the process, or as its images do.

use evtpm_engine::{Execution, Pending, Phase, Platform, Profile, Step, Tpm};
use evtpm_image::{Part, State};

use super::platform::HostedPlatform;
use crate::device::{Cancellation, Description, Device, DeviceError};
use crate::machine::FAILURE;

/// Modular powers between two looks at whether the command was cancelled: some milliseconds.
const STEPS: u32 = 8;

/// A TPM without an SVSM around it.
#[derive(Debug)]
pub struct EngineDevice {
    tpm: Tpm<HostedPlatform>,
    cancellation: Cancellation,
    powered_before: bool,
}

impl EngineDevice {
    /// Manufactures a TPM.
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn new(profile: Profile) -> Result<Self, DeviceError> {
        let tpm = Tpm::manufacture(HostedPlatform::new(), profile)
            .map_err(|_| DeviceError("there is not enough memory for a TPM".into()))?;
        Ok(EngineDevice { tpm, cancellation: Cancellation::default(), powered_before: false })
    }
}

impl Device for EngineDevice {
    fn power_on(&mut self) -> Result<(), DeviceError> {
        // A TPM that was just made stands after its first _TPM_Init.
        if std::mem::replace(&mut self.powered_before, true) {
            self.tpm.power_on();
        }
        Ok(())
    }

    fn execute(&mut self, locality: u8, command: &[u8]) -> Vec<u8> {
        let locality = super::locality(locality);
        let mut command = command.to_vec();
        let mut response = vec![0; self.tpm.profile().limits.response_size];
        self.cancellation.begin();
        loop {
            match self.tpm.step(locality, &mut command, &mut response, STEPS) {
                Step::Working if !self.cancellation.is_wished() => {}
                Step::Working => {
                    let length = self.tpm.cancel(&mut response);
                    response.truncate(length);
                    return response;
                }
                Step::Done(Execution::Response(length)) => {
                    response.truncate(length);
                    return response;
                }
                // Nobody defined a certificate index here, so none can be pending; were one, there is no report for it.
                Step::Done(Execution::Pending(Pending::EkCertificate { index })) => {
                    if self.tpm.host().decline_ek_certificate(index).is_err() {
                        return FAILURE.to_vec();
                    }
                }
            }
        }
    }

    fn hash_start(&mut self) -> Result<(), DeviceError> {
        self.tpm.hash_start();
        Ok(())
    }

    fn hash_data(&mut self, data: &[u8]) -> Result<(), DeviceError> {
        self.tpm.hash_data(data);
        Ok(())
    }

    fn hash_end(&mut self) -> Result<(), DeviceError> {
        self.tpm.hash_end();
        Ok(())
    }

    fn set_physical_presence(&mut self, asserted: bool) {
        self.tpm.platform_mut().set_physical_presence(asserted);
    }

    fn countdown_signaled(&mut self, handle: u32) -> bool {
        self.tpm.countdown_signaled(handle)
    }

    fn set_message_size(&mut self, bytes: u32) {
        self.tpm.set_message_size(bytes as usize);
    }

    fn set_cancellation(&mut self, cancellation: Cancellation) {
        self.cancellation = cancellation;
    }

    fn save(&mut self, part: Part) -> Result<Option<State>, DeviceError> {
        if matches!(self.tpm.phase(), Phase::Failed(_)) {
            return Ok(None);
        }
        let state = match part {
            Part::Permanent => State::permanent(&mut self.tpm),
            Part::Volatile => State::volatile(&mut self.tpm),
        };
        state.map(Some).map_err(|error| DeviceError(error.to_string()))
    }

    fn still_has(&mut self, permanent: &State) -> bool {
        !self.tpm.may_differ_from_saved() || permanent.is_permanent_of(&mut self.tpm)
    }

    fn restore(&mut self, permanent: &State, volatile: Option<&State>) -> Result<(), DeviceError> {
        let mut platform = HostedPlatform::new();
        platform.set_physical_presence(self.tpm.platform().physical_presence());
        self.tpm = evtpm_image::restore(platform, self.tpm.profile().clone(), permanent, volatile)
            .map_err(|error| DeviceError(error.to_string()))?;
        self.powered_before = true;
        Ok(())
    }

    fn description(&self) -> Description {
        describe(self.tpm.profile())
    }
}

/// Puts a profile into words.
pub(super) fn describe(profile: &Profile) -> Description {
    let (identity, rsa) = (&profile.identity, profile.supported.rsa_key_bits);
    let text = |words: &[[u8; 4]]| -> String {
        let bytes: Vec<u8> = words.concat().into_iter().filter(|byte| *byte != 0).collect();
        String::from_utf8_lossy(&bytes).trim_end().to_owned()
    };
    Description {
        manufacturer: text(&[identity.manufacturer]),
        model: text(&identity.vendor_strings),
        revision: identity.revision,
        rsa_key_bits: [1024, 2048, 3072, 4096].into_iter().filter(|bits| rsa.contains(*bits)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An RSA-4096 storage key in the owner's hierarchy: seconds of work.
    fn long_command() -> Vec<u8> {
        let mut command = vec![0x80, 2, 0, 0, 0, 0, 0, 0, 0x01, 0x31, 0x40, 0, 0, 1];
        command.extend([0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0]);
        command.extend([0, 26, 0, 1, 0, 0x0b, 0, 3, 0x04, 0x72, 0, 0, 0, 6, 0, 128, 0, 0x43, 0, 0x10, 16, 0]);
        command.extend([0, 0, 0, 0, 0, 0]);
        command.extend([0, 0, 0, 0, 0, 0]);
        let size = u32::try_from(command.len()).unwrap().to_be_bytes();
        command[2..6].copy_from_slice(&size);
        command
    }

    const STARTUP: [u8; 12] = [0x80, 1, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 0];
    const CANCELED: [u8; 10] = [0x80, 1, 0, 0, 0, 10, 0, 0, 0x09, 0x09];

    fn started(cancellation: &Cancellation) -> EngineDevice {
        let mut device = EngineDevice::new(Profile::pc_client()).unwrap();
        device.set_cancellation(cancellation.clone());
        device.power_on().unwrap();
        assert_eq!(device.execute(0, &STARTUP)[6..10], [0; 4]);
        device
    }

    #[test]
    fn a_locality_that_does_not_exist_is_locality_0() {
        let cancellation = Cancellation::default();
        // TPM2_PCR_Reset of PCR 20, which only localities 2 and 4 may.
        let mut reset = vec![0x80, 2, 0, 0, 0, 27, 0, 0, 0x01, 0x3d, 0, 0, 0, 20];
        reset.extend([0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0]);
        let mut device = started(&cancellation);
        let code = |device: &mut EngineDevice, locality| device.execute(locality, &reset)[6..10].to_vec();
        assert_eq!(code(&mut device, 2), [0; 4]);
        for locality in [0, 5, 31] {
            assert_eq!(code(&mut device, locality), [0, 0, 0x09, 0x07], "{locality}: TPM_RC_LOCALITY");
        }
    }

    #[test]
    fn a_held_line_cancels_long_commands_and_no_others() {
        let cancellation = Cancellation::default();
        let mut device = started(&cancellation);
        cancellation.hold(true);
        assert_eq!(device.execute(0, &long_command()), CANCELED);
        assert_eq!(device.execute(0, &[0x80, 1, 0, 0, 0, 12, 0, 0, 0x01, 0x7b, 0, 8])[6..10], [0; 4]);
    }

    #[test]
    fn a_wish_reaches_the_command_that_is_being_executed() {
        let cancellation = Cancellation::default();
        let mut device = started(&cancellation);
        // A wish from before is for no command.
        cancellation.once();
        std::thread::scope(|scope| {
            let command = scope.spawn(|| device.execute(0, &long_command()));
            while !command.is_finished() {
                cancellation.once();
                std::thread::yield_now();
            }
            assert_eq!(command.join().unwrap(), CANCELED);
        });
    }
}
