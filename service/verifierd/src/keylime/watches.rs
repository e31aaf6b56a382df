// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Orders of tenants to watch agents, and how each agent is.

use evtpm_keylime::registrar::RegisteredAgent;
use evtpm_keylime::verifier::{AddAgent, AgentStatus, OperationalState, TpmPolicy};
use evtpm_verify::logs::Progress;
use evtpm_verify::tpm::{Clock, ClockWitness};
use serde::{Deserialize, Serialize};

use super::evidence::Before;
use super::push::Push;
use super::rounds::milliseconds;
use crate::app::App;
use crate::hex::{hex, unhex};
use crate::refusal::Refusal;
use crate::store::{Item, Note};

/// Orders, in the store; they are due by milliseconds.
pub(crate) const WATCHED: &str = "keylime-watch";
/// Runtime policies.
pub(crate) const POLICY: &str = "keylime-policy";
/// Measured boot reference states.
pub(crate) const BOOT_POLICY: &str = "keylime-mbpolicy";

/// Seconds between two quotes of one agent.
pub(crate) const INTERVAL: u64 = 2;
/// Seconds without a quote after which an agent is late, as Keylime counts them.
pub(crate) const LATE: u64 = 5 * INTERVAL;

/// Seconds between two looks at an agent, at most.
const LONGEST_WAIT: u64 = 60;

/// Seconds to the next look at an agent after so many that came to nothing.
pub(crate) fn wait_after(times: u32) -> u64 {
    (INTERVAL << times.min(16)).min(LONGEST_WAIT)
}

/// An order, and what came of it so far.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Watch {
    /// As it was given, without the runtime policy's content.
    pub(crate) order: AddAgent,
    /// The name of the runtime policy.
    pub(crate) policy: Option<String>,
    /// The name of the measured boot reference state, where it asks for something.
    #[serde(default)]
    pub(crate) boot_policy: Option<String>,
    pub(crate) state: OperationalState,
    pub(crate) hash_alg: String,
    pub(crate) enc_alg: String,
    pub(crate) sign_alg: String,
    pub(crate) attestation_count: u64,
    pub(crate) last_received_quote: u64,
    pub(crate) last_successful_attestation: u64,
    pub(crate) last_event_id: Option<String>,
    /// The agent's transport key, PEM.
    pub(crate) transport_key: Option<String>,
    /// Rounds in which it did not answer, one after the other.
    pub(crate) unanswered: u32,
    /// What is kept of an agent that pushes; such a one is not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) push: Option<Push>,
    clock: Option<KeptClock>,
    progress: Option<KeptProgress>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct KeptClock {
    milliseconds: u64,
    resets: u32,
    restarts: u32,
    safe: bool,
}

/// Where IMA's list stands, and the policy that found nothing in it so far.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct KeptProgress {
    policy: String,
    bytes: String,
}

impl Watch {
    /// Takes an order.
    pub(crate) fn new(order: AddAgent, policy: Option<String>) -> Self {
        // Nothing in an order says that its agent pushes, except that it cannot be asked; of others a session does.
        let can_be_asked =
            order.cloudagent_ip.is_some() && order.cloudagent_port.is_some() && order.mtls_cert.is_some();
        Watch {
            push: (!can_be_asked).then(Push::default),
            order,
            policy,
            boot_policy: None,
            state: OperationalState::Start,
            hash_alg: String::new(),
            enc_alg: String::new(),
            sign_alg: String::new(),
            attestation_count: 0,
            last_received_quote: 0,
            last_successful_attestation: 0,
            last_event_id: None,
            transport_key: None,
            unanswered: 0,
            clock: None,
            progress: None,
        }
    }

    /// Reads the part of the order that is JSON in text.
    pub(crate) fn tpm_policy(&self) -> Result<TpmPolicy, String> {
        serde_json::from_str(&self.order.tpm_policy).map_err(|error| format!("tpm_policy: {error}"))
    }

    /// What earlier quotes left, as far as `policy` judged them.
    pub(crate) fn before(&self, policy: Option<&str>) -> Before {
        let clock = self.clock.map(|KeptClock { milliseconds, resets, restarts, safe }| {
            ClockWitness::first(Clock { milliseconds, reset_count: resets, restart_count: restarts, safe })
        });
        let kept = self.progress.as_ref().filter(|kept| Some(kept.policy.as_str()) == policy);
        Before { clock, progress: kept.and_then(|kept| Progress::from_bytes(&unhex(&kept.bytes)?)) }
    }

    /// Keeps what this quote leaves to the next.
    pub(crate) fn keep(&mut self, clock: Clock, policy: Option<&str>, progress: Option<&Progress>) {
        let Clock { milliseconds, reset_count, restart_count, safe } = clock;
        self.clock = Some(KeptClock { milliseconds, resets: reset_count, restarts: restart_count, safe });
        self.progress = policy
            .zip(progress)
            .map(|(policy, progress)| KeptProgress { policy: policy.to_owned(), bytes: hex(&progress.to_bytes()) });
    }

    /// When the first round is due: at once, unless it is for the agent to begin.
    ///
    /// Keylime's Rust agent registers with an address and no certificate when it pushes, as one does that answers without TLS: it is
    /// given the time to open a session before it is asked in vain.
    pub(crate) fn first_due(&self) -> Option<u64> {
        match self.order.mtls_cert.as_deref() {
            _ if self.push.is_some() => None,
            Some("disabled") => Some(milliseconds().saturating_add(LATE * 1_000)),
            _ => Some(0),
        }
    }

    /// Begins anew: nothing of an earlier boot counts.
    pub(crate) fn restart(&mut self) {
        if let Some(push) = &mut self.push {
            push.restart();
        }
        self.state = OperationalState::Start;
        (self.clock, self.progress, self.transport_key) = (None, None, None);
        (self.unanswered, self.last_event_id) = (0, None);
    }

    /// Takes what an agent registered with anew: its TPM is the same, its keys and address may not be.
    pub(crate) fn follow(&mut self, agent: &RegisteredAgent) {
        let registration = &agent.registration;
        self.order.ak_tpm.clone_from(&registration.aik_tpm);
        self.order.mtls_cert.clone_from(&registration.mtls_cert);
        if registration.ip.is_some() && registration.port.is_some() {
            self.order.cloudagent_ip.clone_from(&registration.ip);
            self.order.cloudagent_port = registration.port;
        }
        self.restart();
    }

    /// Puts it into Keylime's words.
    pub(crate) fn status(&self, has_runtime_policy: bool) -> AgentStatus {
        use OperationalState::{Failed, GetQuote, GetQuoteRetry, InvalidQuote, ProvideV, ProvideVRetry, TenantFailed};
        let verdict = match self.state {
            GetQuoteRetry if self.push.is_some() => "TIMEOUT",
            GetQuote | GetQuoteRetry | ProvideV | ProvideVRetry => "PASS",
            Failed | InvalidQuote | TenantFailed => "FAIL",
            _ => "PENDING",
        };
        let order = self.order.clone();
        // Keylime's tenant knows an agent that pushes by having no address.
        let (ip, port) = if self.push.is_some() { (None, None) } else { (order.cloudagent_ip, order.cloudagent_port) };
        AgentStatus {
            operational_state: self.state,
            v: order.v,
            ip,
            port,
            tpm_policy: order.tpm_policy,
            meta_data: order.metadata,
            has_mb_refstate: u8::from(self.boot_policy.is_some()),
            has_runtime_policy: u8::from(has_runtime_policy),
            accept_tpm_hash_algs: order.accept_tpm_hash_algs,
            accept_tpm_encryption_algs: order.accept_tpm_encryption_algs,
            accept_tpm_signing_algs: order.accept_tpm_signing_algs,
            hash_alg: self.hash_alg.clone(),
            enc_alg: self.enc_alg.clone(),
            sign_alg: self.sign_alg.clone(),
            verifier_id: "evtpm".into(),
            verifier_ip: order.verifier_ip,
            verifier_port: order.verifier_port,
            // Keylime's default: every failure is an emergency.
            severity_level: self.last_event_id.as_ref().map(|_| 6),
            last_event_id: self.last_event_id.clone(),
            attestation_count: self.attestation_count,
            last_received_quote: self.last_received_quote,
            last_successful_attestation: self.last_successful_attestation,
            attestation_status: verdict.into(),
            attestation_period: format!("{INTERVAL}s"),
            maximum_attestation_interval: format!("{LATE}s"),
        }
    }
}

/// Finds an order, with the version to change it by.
pub(crate) async fn find(app: &App, agent: &str) -> Result<Option<(Watch, Item)>, Refusal> {
    app.store.item(WATCHED, agent).await?.map(read).transpose()
}

/// Lists all orders.
pub(crate) async fn all(app: &App) -> Result<Vec<(Watch, Item)>, Refusal> {
    app.store.items(WATCHED).await?.into_iter().map(read).collect()
}

/// Forgets an order. Tells whether there was one.
pub(crate) async fn remove(app: &App, agent: &str, line: Note) -> Result<bool, Refusal> {
    if !app.store.remove_item(WATCHED, agent, Some(line)).await? {
        return Ok(false);
    }
    // The policies that came with the order go with it; those of another name are for others too.
    app.store.remove_item(POLICY, agent, None).await?;
    app.store.remove_item(BOOT_POLICY, agent, None).await?;
    Ok(true)
}

/// Reads an item as an order.
pub(crate) fn read(item: Item) -> Result<(Watch, Item), Refusal> {
    let watch = serde_json::from_str(&item.body).map_err(Refusal::internal)?;
    Ok((watch, item))
}

/// Writes an order back; refused if it was changed since it was read.
pub(crate) fn write(watch: &Watch, item: Item, due_at: Option<u64>) -> Result<Item, Refusal> {
    Ok(Item { body: serde_json::to_string(watch).map_err(Refusal::internal)?, due_at, ..item })
}

#[cfg(test)]
mod tests {
    use evtpm_keylime::registrar::{Port, Registration};

    use super::*;

    #[test]
    fn an_agent_that_registers_anew_is_watched_from_the_start_by_its_new_key() {
        let mut watch = Watch::new(AddAgent { ak_tpm: "old".into(), ..AddAgent::default() }, None);
        watch.state = OperationalState::InvalidQuote;
        let clock = Clock { milliseconds: 9, reset_count: 1, restart_count: 0, safe: true };
        watch.keep(clock, None, None);
        assert!(watch.before(None).clock.is_some());
        let registration = Registration { ek_tpm: "ek".into(), aik_tpm: "new".into(), ..Registration::default() };
        watch.follow(&RegisteredAgent { agent_id: "a".into(), registration, regcount: 2 });
        assert_eq!((watch.order.ak_tpm.as_str(), watch.state), ("new", OperationalState::Start));
        assert!(watch.before(None).clock.is_none());
    }

    #[test]
    fn an_agent_that_may_push_is_not_asked_at_once_and_one_that_surely_does_never() {
        let due = |mtls_cert: Option<&str>| {
            let (cloudagent_ip, cloudagent_port) = (Some("127.0.0.1".into()), Some(Port(9002)));
            let mtls_cert = mtls_cert.map(str::to_owned);
            Watch::new(AddAgent { cloudagent_ip, cloudagent_port, mtls_cert, ..AddAgent::default() }, None).first_due()
        };
        assert_eq!(due(Some("-----BEGIN CERTIFICATE-----")), Some(0));
        assert!(due(Some("disabled")).is_some_and(|due| due >= milliseconds() + 9_000));
        assert_eq!(due(None), None);
    }

    #[test]
    fn the_wait_grows_to_a_minute_and_stays_there() {
        let waits = [0, 1, 2, 5, 63, u32::MAX].map(wait_after);
        assert_eq!(waits, [2, 4, 8, 60, 60, 60]);
    }

    #[test]
    fn an_order_survives_the_store() {
        let mut watch = Watch::new(AddAgent { tpm_policy: r#"{"mask":"0x400"}"#.into(), ..AddAgent::default() }, None);
        watch.attestation_count = 7;
        let text = serde_json::to_string(&watch).unwrap();
        let back: Watch = serde_json::from_str(&text).unwrap();
        assert_eq!(back.tpm_policy().unwrap().mask.as_deref(), Some("0x400"));
        assert_eq!(back.status(false).attestation_count, 7);
    }
}
