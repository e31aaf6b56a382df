// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How bytes reach a TPM.
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

/// A way to a TPM: one command in, one response out.
pub trait Transport {
    /// Sends a command and replaces the content of `response` by the TPM's answer.
    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) -> Result<(), TransportError>;
}

impl<T: Transport + ?Sized> Transport for &mut T {
    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) -> Result<(), TransportError> {
        (**self).transmit(command, response)
    }
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) -> Result<(), TransportError> {
        (**self).transmit(command, response)
    }
}

/// The failure of a transport: no response, or only a part of it.
#[derive(Debug)]
pub struct TransportError(Box<dyn core::error::Error + Send + Sync>);

impl TransportError {
    /// Wraps what the transport has to say.
    pub fn new(error: impl Into<Box<dyn core::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl core::error::Error for TransportError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&*self.0)
    }
}
