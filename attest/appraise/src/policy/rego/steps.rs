// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How far an evaluation may go: counted in the interpreter's steps, so that no machine is too slow for a policy.
//!
//! `regorus` limits what its time source tells. Ours tells how often it was asked, which is once in [`INTERVAL`] steps.

use core::{cell::Cell, num::NonZeroU32, time::Duration};
use std::sync::OnceLock;

use regorus::{
    Engine,
    utils::limits::{ExecutionTimerConfig, TimeSource, set_time_source},
};

/// Steps between two questions.
const INTERVAL: NonZeroU32 = NonZeroU32::new(1000).unwrap();
/// Questions that are answered: four million steps are a second or so.
const QUESTIONS: u64 = 4000;

thread_local! {
    /// Questions of this thread's engines, of which one is at work at a time.
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

struct Questions;

impl TimeSource for Questions {
    fn now(&self) -> Option<Duration> {
        let asked = ASKED.get().wrapping_add(1);
        ASKED.set(asked);
        Some(Duration::from_nanos(asked))
    }
}

/// Sets the limit of an engine; tells whether it is one: there is one time source in a process, and another's would not count.
pub(super) fn limit(engine: &mut Engine) -> bool {
    static IS_OURS: OnceLock<bool> = OnceLock::new();
    engine.set_execution_timer_config(ExecutionTimerConfig {
        limit: Duration::from_nanos(QUESTIONS),
        check_interval: INTERVAL,
    });
    *IS_OURS.get_or_init(|| set_time_source(&Questions).is_ok())
}
