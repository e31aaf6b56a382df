// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What happens, told to whoever listens at that moment; the audit log is for those who come later.

use evtpm_api::Event;
use tokio::sync::broadcast;

/// Events that a slow listener may be behind before it misses some.
const BACKLOG: usize = 4_096;

/// The way to all listeners.
#[derive(Debug)]
pub(crate) struct Events(broadcast::Sender<Event>);

impl Default for Events {
    fn default() -> Self {
        Events(broadcast::Sender::new(BACKLOG))
    }
}

impl Events {
    /// Tells everybody, and the log.
    pub(crate) fn tell(&self, at: u64, machine: &str, event: &str, detail: impl Into<String>) {
        let event = Event { at, machine: machine.to_owned(), event: event.to_owned(), detail: detail.into() };
        tracing::info!(machine, detail = event.detail, "{}", event.event);
        // Nobody has to listen.
        drop(self.0.send(event));
    }

    /// Starts to listen.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Event> {
        self.0.subscribe()
    }
}
