// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attacks between agent and verifier: relay and replay.

use evtpm_agent::attester::Attester;
use evtpm_api::{QuoteChallenge, Verdict};
use hyper::Method;

use super::Attack;
use crate::demo::verifier::Answer;
use crate::demo::world::logs_of;
use evtpm_agent::random::SystemRng;

pub(super) const RELAYED_QUOTE: Attack = Attack {
    name: "relayed quote",
    row: 18,
    about: "a good machine's quote, made for its own connection, is shown on another one",
    caught_by: "nonce",
    run: |stage| {
        let (vm, _) = stage.world.play(stage.world.launch()?, &stage.world.boot)?;
        let mut attester = Attester::new(vm, SystemRng)?;
        let outcome = stage.world.runtime.block_on(async {
            let mut own = stage.verifier.connect().await?;
            let mut other = stage.verifier.connect().await?;
            let registered = attester.register(&mut own, stage.machine).await?;
            let path = format!("/attesters/{}", registered.attester);
            let challenge: QuoteChallenge = own.request(Method::POST, &format!("{path}/challenges"), &()).await?;
            let evidence = attester.quote(&challenge, own.binding(), || Ok(logs_of(&stage.world.boot)))?;
            let carrier = if stage.play.is_tampered() { &mut other } else { &mut own };
            carrier.request::<_, Verdict>(Method::PUT, &format!("{path}/evidence"), &evidence).await
        });
        Answer::of(outcome)
    },
};

pub(super) const REPLAYED_EVIDENCE: Attack = Attack {
    name: "replayed evidence",
    row: 20,
    about: "evidence that was accepted once is sent again",
    caught_by: "challenge",
    run: |stage| {
        let (vm, _) = stage.world.play(stage.world.launch()?, &stage.world.boot)?;
        let mut attester = Attester::new(vm, SystemRng)?;
        let outcome = stage.world.runtime.block_on(async {
            let mut connection = stage.verifier.connect().await?;
            let registered = attester.register(&mut connection, stage.machine).await?;
            let path = format!("/attesters/{}", registered.attester);
            let challenge: QuoteChallenge =
                connection.request(Method::POST, &format!("{path}/challenges"), &()).await?;
            let binding = *connection.binding();
            let evidence = attester.quote(&challenge, &binding, || Ok(logs_of(&stage.world.boot)))?;
            let path = format!("{path}/evidence");
            let first: Verdict = connection.request(Method::PUT, &path, &evidence).await?;
            if !stage.play.is_tampered() {
                return Ok(first);
            }
            connection.request::<_, Verdict>(Method::PUT, &path, &evidence).await
        });
        Answer::of(outcome)
    },
};
