// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A TPM in the test's own process, without a machine around it.

use evtpm_client::{Transport, TransportError};
use evtpm_engine::{Execution, Locality, Tpm};

use crate::TestPlatform;

/// The largest response of any profile.
const RESPONSE: usize = 8192;

/// Gives commands to a TPM at locality 0.
#[derive(Debug)]
pub struct Direct(pub Tpm<TestPlatform>);

impl Transport for Direct {
    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) -> Result<(), TransportError> {
        response.resize(RESPONSE, 0);
        match self.0.execute(Locality::ZERO, &mut command.to_vec(), response) {
            Execution::Response(size) => response.truncate(size),
            Execution::Pending(pending) => return Err(TransportError::new(format!("{pending:?}"))),
        }
        Ok(())
    }
}
