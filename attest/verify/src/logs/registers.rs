// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The runtime measurement registers that the event log of a confidential VM leads to (UEFI, "Confidential Computing"; TDX, "RTMR").

use evtpm_logs::{EventLog, HashId, PcrBank, PcrIndex};

use crate::error::{Claim, Error, Hex};
use crate::logs;

/// The registers of a TD.
const COUNT: u32 = 4;

/// What the registers hold if a log is true; a claim until a quote's registers are found to be the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeRegisters {
    bank: PcrBank,
}

impl RuntimeRegisters {
    /// Replays a log, in SHA-384 if it has that bank, else in its first one.
    pub fn replay(log: &EventLog<'_>) -> Result<Self, logs::Error> {
        let first = log.banks().iter().next().map_or(HashId::SHA384, |bank| bank.algorithm);
        let algorithm = if log.banks().contains(HashId::SHA384) { HashId::SHA384 } else { first };
        let mut banks = log.replay(&[algorithm], &logs::CryptoHashes).map_err(logs::Error::EventLog)?;
        match banks.pop() {
            Some(bank) => Ok(Self { bank }),
            None => Err(logs::Error::BankNotLogged { bank: algorithm }),
        }
    }

    /// Returns the value of RTMR 0 to 3: register n stands in the log as measurement register n + 1, since 0 is MRTD.
    #[must_use]
    pub fn get(&self, register: u32) -> Option<&[u8]> {
        let index = register.checked_add(1).filter(|_| register < COUNT).and_then(PcrIndex::new)?;
        Some(self.bank.value(index).as_bytes())
    }

    /// Checks that a quote's registers are those that the log leads to, all four of them.
    pub fn check(&self, quoted: &[[u8; 48]; 4]) -> Result<(), Error> {
        for (register, quoted) in (0_u32..).zip(quoted) {
            let replayed = self.get(register).unwrap_or_default();
            if replayed != quoted {
                return Err(Error::mismatch(Claim::RuntimeRegister, Hex(quoted), Hex(replayed)));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One record of a crypto-agile log: measurement register, EV_SEPARATOR, one SHA-384 digest, no data.
    fn log(register: u32) -> Vec<u8> {
        let mut log = [[1, 0, 0, 0, 3, 0, 0, 0].as_slice(), &[0; 20], &[33, 0, 0, 0]].concat();
        log.extend(b"Spec ID Event03\0");
        log.extend([0, 0, 0, 0, 0, 2, 0, 2, 1, 0, 0, 0, 0x0C, 0, 48, 0, 0]);
        log.extend(register.to_le_bytes());
        log.extend([4, 0, 0, 0, 1, 0, 0, 0, 0x0C, 0]);
        log.extend([7; 48]);
        log.extend([0; 4]);
        log
    }

    #[test]
    fn measurement_register_one_is_runtime_register_zero() {
        let bytes = log(1);
        let registers = RuntimeRegisters::replay(&EventLog::parse(&bytes).unwrap()).unwrap();
        assert_ne!(registers.get(0), Some([0; 48].as_slice()));
        assert_eq!(registers.get(1), Some([0; 48].as_slice()));
        assert_eq!(registers.get(4), None);
    }

    #[test]
    fn a_quote_with_another_register_is_refused() {
        let bytes = log(2);
        let registers = RuntimeRegisters::replay(&EventLog::parse(&bytes).unwrap()).unwrap();
        let mut quoted = [[0; 48]; 4];
        assert!(matches!(registers.check(&quoted), Err(Error::Mismatch { what: Claim::RuntimeRegister, .. })));
        quoted[1] = registers.get(1).unwrap().try_into().unwrap();
        assert_eq!(registers.check(&quoted), Ok(()));
    }
}
