// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A story: two new TPMs and a number of commands, each of which depends on the seed, its number and the model alone.
//! Leaving commands out therefore makes another story, whose commands are like the old ones: that is how one is minimised.

use std::collections::BTreeMap;

use evtpm_testing_foreign::packet::{Answer, Request};
use evtpm_tpm_wire::{Cc, Flags, NvType, Rc, Subject, TpmaNv, TpmaSession};

use crate::both::{Both, Side};
use crate::canonical;
use crate::dice::Dice;
use crate::differences::{self, Known};
use crate::generate::{self, Note};
use crate::libtpms::{self, Libtpms};
use crate::model::Model;
use crate::mutate;
use crate::ours::{Ours, profile};
use crate::seal::{self, Use, seal};
use crate::shape;

/// `TPM_RC_RETRY`: libtpms tests an algorithm at its first use and lets the caller ask again.
const RETRY: u32 = 0x922;
/// So often it may say so for one command.
const PATIENCE: usize = 8;

/// A command whose answers are not the same.
#[derive(Debug, Clone)]
pub struct Case {
    /// The number of the command in its story.
    pub step: u64,
    /// The command code that was sent.
    pub code: Cc,
    /// What was changed in it.
    pub changes: Vec<mutate::Change>,
    /// The locality that they came from.
    pub locality: u8,
    /// The commands.
    pub commands: Both<Vec<u8>>,
    /// The answers.
    pub answers: Both<Vec<u8>>,
    /// The response codes.
    pub codes: Both<Rc>,
    /// Whether it names a trial session.
    pub trial: bool,
    /// The attributes of the NV indices that it names.
    pub indices: Vec<TpmaNv>,
    /// Whether it is about a trial policy of PCRs, which may not be there since an allocation.
    pub trial_pcrs: bool,
    /// Whether a dictionary attack has no tries.
    pub no_tries: bool,
    /// The field that differs, when both succeeded.
    pub field: Option<(&'static str, Both<Vec<u8>>)>,
}

impl Case {
    /// Tells whether it names an index of this type.
    #[must_use]
    pub fn of_type(&self, nv_type: NvType) -> bool {
        self.indices.iter().any(|attributes| attributes.nv_type() == Some(nv_type))
    }

    /// Tells whether it names an index that holds a PIN.
    #[must_use]
    pub fn of_pin(&self) -> bool {
        self.of_type(NvType::PinFail) || self.of_type(NvType::PinPass)
    }

    /// Tells whether another is of the same kind.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        let name = |case: &Self| case.field.as_ref().map(|(name, _)| *name);
        self.code == other.code && self.codes == other.codes && name(self) == name(other)
    }
}

/// What came of a command, whenever it was sent.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    /// Both did it.
    pub done: u64,
    /// Both refused it with the same code.
    pub refused: u64,
    /// The codes are not the same, for a known reason or for none.
    pub differed: u64,
}

impl Tally {
    /// Adds another.
    pub const fn add(&mut self, other: &Self) {
        self.done += other.done;
        self.refused += other.refused;
        self.differed += other.differed;
    }
}

/// What came of a story.
#[derive(Debug, Default)]
pub struct Told {
    /// Commands that were compared.
    pub compared: u64,
    /// How often each known difference was met.
    pub known: BTreeMap<&'static str, u64>,
    /// What came of each command.
    pub commands: BTreeMap<u32, Tally>,
    /// The difference that nobody explains, with which the story ended.
    pub difference: Option<Box<Case>>,
}

/// Both TPMs.
#[derive(Debug)]
pub struct Pair {
    theirs: Libtpms,
    ours: Ours,
    /// Prints each command and its codes.
    pub trace: bool,
}

impl Pair {
    /// Loads libtpms.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn load() -> Result<Self, libtpms::Error> {
        Ok(Self { theirs: Libtpms::load()?, ours: Ours::manufacture(0, profile()), trace: false })
    }

    /// Tells a story with those of its commands that `wanted` names.
    ///
    /// # Errors
    /// When libtpms has no answer.
    pub fn tell(&mut self, seed: u64, steps: impl IntoIterator<Item = u64>) -> Result<Told, libtpms::Error> {
        self.theirs.repeat(seed)?;
        self.theirs.manufacture()?;
        self.theirs.set_physical_presence(false);
        self.ours = Ours::manufacture(seed, profile());
        let mut story = Story { seed, pair: self, model: Model::default(), told: Told::default() };
        story.startup()?;
        for step in steps {
            if !story.step(step)? {
                break;
            }
        }
        Ok(story.told)
    }
}

struct Story<'a> {
    seed: u64,
    pair: &'a mut Pair,
    model: Model,
    told: Told,
}

impl Story<'_> {
    fn startup(&mut self) -> Result<(), libtpms::Error> {
        let startup = [0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0];
        self.execute(0, &Both::same(startup.to_vec())).map(drop)
    }

    fn execute(&mut self, locality: u8, commands: &Both<Vec<u8>>) -> Result<Both<Vec<u8>>, libtpms::Error> {
        let mut answers = Both::<Vec<u8>>::default();
        for _ in 0..PATIENCE {
            self.pair.theirs.execute(locality, &mut commands.theirs.clone(), &mut answers.theirs)?;
            if response_code(&answers.theirs) != RETRY {
                break;
            }
        }
        self.pair.ours.execute(locality, &mut commands.ours.clone(), &mut answers.ours);
        Ok(answers)
    }

    /// Does one command; false ends the story.
    fn step(&mut self, step: u64) -> Result<bool, libtpms::Error> {
        let mut dice = Dice::new(self.seed, step);
        if dice.below(400) == 0 {
            return self.power_cycle(&mut dice);
        }
        if dice.below(100) == 0 {
            let asserted = dice.percent(50);
            self.pair.theirs.set_physical_presence(asserted);
            self.pair.ours.set_physical_presence(asserted);
        }
        let mut plan = generate::next(&mut dice, &self.model);
        if plan.code == Cc::CLEAR && self.model.planned_pcrs {
            // libtpms writes its whole state then, and with it the allocation of before.
            return Ok(true);
        }
        if plan.code == Cc::CLOCK_SET && self.model.clock_set {
            return Ok(true);
        }
        let mut changes: Vec<_> = mutate::before(&mut dice, &mut plan).into_iter().collect();
        let mut sealed = seal(&mut dice, &self.model, &plan);
        changes.extend(mutate::after(&mut dice, &mut sealed.command));
        if self.model.has_changed && sealed.uses.iter().any(Use::encrypts_unproved) {
            return Ok(true);
        }
        let note = if changes.is_empty() { plan.note.clone() } else { Note::default() };
        let commands = sealed.command.bytes().clone();
        let are_read_alike = commands.map(|bytes| shape::has_its_size(bytes)).equal()
            && commands.map(|bytes| shape::session_numbers(bytes)).equal()
            && (changes.is_empty() || commands.map(|bytes| shape::reading(bytes)).equal());
        if !are_read_alike {
            // A change has made sizes or attributes of bytes that are not the same on each side: these are two commands.
            return Ok(true);
        }
        if shape::crashes_libtpms(&commands.theirs) || shape::lists_commands_of_later_versions(&commands.theirs) {
            return Ok(true);
        }
        let answers = self.execute(plan.locality, &commands)?;
        let code =
            commands.ours.get(6..10).map_or(Cc(0), |code| Cc(u32::from_be_bytes(code.try_into().unwrap_or_default())));
        let codes = answers.map(|answer| Rc::from_raw(response_code(answer)));
        // A change may have named other handles than were planned, in a command that cannot be read to its end.
        let named: Vec<u32> = shape::handles(&commands.ours).collect();
        let is_trial = |handle: &u32| self.model.session(*handle).is_some_and(|session| session.kind == 3);
        let trial = named.iter().any(is_trial);
        let is_trial_of_pcrs = |handle: &u32| self.model.session(*handle).is_some_and(|session| session.trial_pcrs);
        let trial_pcrs = named.iter().any(is_trial_of_pcrs);
        let attributes = |handle: &u32| self.model.index(*handle).map(|nv| nv.public.attributes);
        let indices = named.iter().filter_map(attributes).collect();
        let mut case = Case {
            step,
            code,
            changes,
            locality: plan.locality,
            commands,
            answers,
            codes,
            trial,
            indices,
            trial_pcrs,
            no_tries: self.model.no_tries,
            field: None,
        };
        self.count(&case);
        if self.pair.trace {
            let sent = hex::encode(&case.commands.ours);
            println!("{step:4} {} {} / {} {:?} {sent}", case.code, case.codes.theirs, case.codes.ours, case.changes);
        }
        if !case.codes.equal() {
            return Ok(self.differ(case));
        }
        if !case.codes.ours.is_success() {
            if case.answers.ours.len() != 10 || !case.answers.equal() {
                case.field = Some(("error", case.answers.clone()));
                return Ok(self.differ(case));
            }
            // libtpms has counted the PIN that the first session proved, ours has looked at all sessions before.
            let is_later = matches!(case.codes.ours.subject(), Some(Subject::Session(2 | 3)));
            return Ok(!case.of_pin() || !is_later);
        }
        self.model.has_changed |= !case.changes.is_empty();
        match self.compare(&case, &sealed.uses, &note) {
            None => Ok(true),
            Some(field) => {
                case.field = Some(field);
                Ok(self.differ(case))
            }
        }
    }

    fn count(&mut self, case: &Case) {
        self.told.compared += 1;
        let row = self.told.commands.entry(case.code.0).or_default();
        match (case.codes.equal(), case.codes.ours.is_success()) {
            (true, true) => row.done += 1,
            (true, false) => row.refused += 1,
            (false, _) => row.differed += 1,
        }
    }

    /// Takes a difference; false if nobody explains it.
    fn differ(&mut self, case: Case) -> bool {
        let known: Option<&Known> = differences::explain(&case);
        match known {
            Some(known) => {
                *self.told.known.entry(known.name).or_default() += 1;
                // One side has changed and the other has not, be it a count of failed tries: what follows would differ without end.
                let is_done = case.codes.ours.is_success() || case.codes.theirs.is_success();
                let is_handle = case.field.as_ref().is_some_and(|(name, _)| *name == "handle");
                let has_failed = case.codes.theirs == Rc::FAILURE;
                let is_failed_try =
                    case.codes.theirs.base() == Rc::AUTH_FAIL || case.codes.ours.base() == Rc::AUTH_FAIL;
                let has_ended = is_done || case.of_pin() || has_failed || is_failed_try;
                if case.codes.equal() { !is_handle } else { !has_ended }
            }
            None if self.are_two_commands(&case) => {
                *self.told.known.entry("random bytes that a change made numbers").or_default() += 1;
                false
            }
            None => {
                self.told.difference = Some(Box::new(case));
                false
            }
        }
    }

    /// Tells whether a change lets each side read a number from bytes that are random there: then ours refuses the bytes
    /// that libtpms had with the same code. The story ends, as ours has had one command more.
    fn are_two_commands(&mut self, case: &Case) -> bool {
        let refused = !case.codes.ours.is_success() && !case.codes.theirs.is_success();
        if case.changes.is_empty() || case.commands.equal() || !refused {
            return false;
        }
        let mut answer = Vec::new();
        self.pair.ours.execute(case.locality, &mut case.commands.theirs.clone(), &mut answer);
        response_code(&answer) == case.codes.theirs.raw()
    }

    fn compare(&mut self, case: &Case, uses: &[Use], note: &Note) -> Option<(&'static str, Both<Vec<u8>>)> {
        let whole = || Some(("answer", case.answers.clone()));
        let (Ok(theirs), Ok(ours)) = (Request::parse(&case.commands.theirs), Request::parse(&case.commands.ours))
        else {
            return if case.answers.equal() { None } else { whole() };
        };
        let requests = Both { theirs, ours };
        let spec = Some(requests.ours.spec);
        let (Ok(theirs), Ok(ours)) =
            (Answer::parse(spec, &case.answers.theirs), Answer::parse(spec, &case.answers.ours))
        else {
            return whole();
        };
        let mut answers = Both { theirs, ours };
        let handles = answers.map(|answer| answer.handle.map_or(0, |handle| handle.0).to_be_bytes().to_vec());
        if !handles.equal() {
            return Some(("handle", handles));
        }
        // A mutated session area may name other sessions than `uses` does.
        let intact = uses.len() == requests.ours.sessions.len()
            && uses.iter().zip(&requests.ours.sessions).all(|(used, sent)| used.was_sent_as(sent));
        if let Some(field) = self.acknowledge(&requests, &answers, if intact { uses } else { &[] }, note) {
            return Some(field);
        }
        let acknowledged = [Side::Theirs, Side::Ours].map(|side| {
            let answer = answers.of(side);
            let read = |(used, sent): (&Use, _)| {
                used.acknowledge(side, requests.ours.code(), answer.parameters, sent, &note.auth)
            };
            uses.iter().zip(&answer.sessions).map(read).collect::<Vec<_>>()
        });
        let mut plain = Both { theirs: answers.theirs.parameters.to_vec(), ours: answers.ours.parameters.to_vec() };
        if intact {
            seal::decrypt(uses, Side::Theirs, &acknowledged[0], &mut plain.theirs);
            seal::decrypt(uses, Side::Ours, &acknowledged[1], &mut plain.ours);
        } else if requests.ours.sessions.iter().any(|sent| sent.session_attributes.contains(TpmaSession::ENCRYPT)) {
            return None;
        }
        answers.theirs.parameters = &plain.theirs;
        answers.ours.parameters = &plain.ours;
        let field = self.fields(&requests, &answers);
        if field.is_none() {
            self.learn(&requests, &answers, &acknowledged, if intact { uses } else { &[] }, note);
        }
        field
    }

    fn acknowledge(
        &self,
        requests: &Both<Request<'_>>,
        answers: &Both<Answer<'_>>,
        uses: &[Use],
        note: &Note,
    ) -> Option<(&'static str, Both<Vec<u8>>)> {
        let shape = |side: Side| {
            let answer = answers.of(side);
            let mut shape = format!("{} sessions", answer.sessions.len());
            for (number, sent) in answer.sessions.iter().enumerate() {
                shape +=
                    &format!("; {:?} nonce {} hmac {}", sent.session_attributes, sent.nonce.len(), sent.hmac.len());
                if let Some(used) = uses.get(number) {
                    let read = used.acknowledge(side, requests.ours.code(), answer.parameters, sent, &note.auth);
                    shape += &format!(" keyed {:?}", read.keyed);
                }
            }
            shape.into_bytes()
        };
        let shapes = Both { theirs: shape(Side::Theirs), ours: shape(Side::Ours) };
        (!shapes.equal()).then_some(("sessions", shapes))
    }

    fn fields(
        &self,
        requests: &Both<Request<'_>>,
        answers: &Both<Answer<'_>>,
    ) -> Option<(&'static str, Both<Vec<u8>>)> {
        let read = |side| canonical::fields(&self.model, requests.of(side), answers.of(side), side);
        match (read(Side::Theirs), read(Side::Ours)) {
            (Ok(theirs), Ok(ours)) => {
                if theirs.len() != ours.len() {
                    let names = |fields: Vec<canonical::Field>| format!("{fields:?}").into_bytes();
                    return Some(("fields", Both { theirs: names(theirs), ours: names(ours) }));
                }
                let different = theirs.into_iter().zip(ours).find(|(theirs, ours)| theirs != ours);
                different.map(|(theirs, ours)| (ours.0, Both { theirs: theirs.1, ours: ours.1 }))
            }
            // What our wire layer cannot read must at least be the same.
            (theirs, ours) => {
                // Decrypted with a key that we do not know.
                let encrypted =
                    requests.ours.sessions.iter().any(|sent| sent.session_attributes.contains(TpmaSession::ENCRYPT));
                if theirs.is_err() && ours.is_err() && encrypted {
                    return None;
                }
                let same = answers.theirs.parameters == answers.ours.parameters && theirs.is_err() && ours.is_err();
                let raw = Both { theirs: answers.theirs.parameters.to_vec(), ours: answers.ours.parameters.to_vec() };
                (!same).then_some(("layout", raw))
            }
        }
    }

    fn learn(
        &mut self,
        requests: &Both<Request<'_>>,
        answers: &Both<Answer<'_>>,
        acknowledged: &[Vec<seal::Acknowledged>; 2],
        uses: &[Use],
        note: &Note,
    ) {
        let ended = |used: &Use| !used.continues();
        for (number, used) in uses.iter().enumerate() {
            let Some(handle) = seal::session_of(used) else { continue };
            let [theirs, ours] =
                [0, 1].map(|side: usize| acknowledged[side].get(number).map(|read| read.nonce.clone()));
            if let Some(session) = self.model.sessions.iter_mut().find(|session| session.handle == handle) {
                session.nonce = Both { theirs: theirs.unwrap_or_default(), ours: ours.unwrap_or_default() };
                // A policy that authorized something starts anew.
                if used.authorized() && session.kind == 1 {
                    session.recipe.clear();
                    session.random_digest = false;
                }
            }
            if ended(used) {
                self.model.sessions.retain(|session| session.handle != handle);
            }
        }
        if uses.is_empty() {
            // A mutated command may have used sessions whose nonces we have not followed.
            for sent in &requests.ours.sessions {
                if let evtpm_tpm_wire::AuthHandle::Session(session) = sent.session_handle {
                    let handle = session.handle().0;
                    self.model
                        .sessions
                        .iter_mut()
                        .filter(|other| other.handle == handle)
                        .for_each(|other| other.known = false);
                }
            }
        }
        // A response that cannot be read teaches nothing.
        let _ = self.model.observe(requests, answers, note);
        if requests.ours.code() == Cc::SHUTDOWN {
            // So would it take back a shutdown, which the next loss of power has to find.
            self.model.shut_down = true;
            return;
        }
        // What we ask our side alone would end the exclusiveness of an audit session there, which neither a command with audit
        // nor one that allows no sessions does.
        let ends = !requests.ours.spec.flags.contains(Flags::NO_SESSIONS);
        if ends && !requests.ours.sessions.iter().any(|sent| sent.session_attributes.contains(TpmaSession::AUDIT)) {
            self.refresh();
        }
    }

    /// Looks up what there is, on our side: the same is there on the other, or a later command tells.
    fn refresh(&mut self) {
        let mut handles = Vec::new();
        for first in [0x0100_0000_u32, 0x0200_0000, 0x8000_0000, 0x8100_0000] {
            let answer = self.ask(0x17A, &[[0, 0, 0, 1], first.to_be_bytes(), [0, 0, 0, 64]].concat());
            let list = answer.get(19..).unwrap_or_default();
            handles.extend(list.as_chunks::<4>().0.iter().map(|handle| u32::from_be_bytes(*handle)));
        }
        self.model.keep_only(&handles);
        for number in 0..self.model.nv.len() {
            let answer = self.ask(0x169, &self.model.nv[number].handle.to_be_bytes());
            if let Some(read) = answer.get(10..) {
                self.model.nv[number].read(read);
            }
        }
    }

    fn ask(&mut self, code: u32, rest: &[u8]) -> Vec<u8> {
        let size = u32::try_from(10 + rest.len()).unwrap_or(0);
        let mut command = [&[0x80, 1], &size.to_be_bytes()[..], &code.to_be_bytes()[..], rest].concat();
        let mut answer = Vec::new();
        self.pair.ours.execute(0, &mut command, &mut answer);
        answer
    }

    fn power_cycle(&mut self, dice: &mut Dice) -> Result<bool, libtpms::Error> {
        self.model.planned_pcrs = false;
        // "The TPM MAY nullify this command for any subsequent command": what one of both took back is said again.
        let orderly = dice.below(if std::mem::take(&mut self.model.shut_down) { 2 } else { 3 });
        // After an allocation of PCR a state cannot be kept, and only the other kind takes back what was said before.
        let kinds: &[u8] = match orderly {
            0 => &[0],
            1 => &[1, 0],
            _ => &[],
        };
        for kind in kinds {
            let commands = Both::same(vec![0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x45, 0, *kind]);
            let answers = self.execute(0, &commands)?;
            let is_done = response_code(&answers.ours) == 0;
            if !self.compare_code(Cc::SHUTDOWN, commands, answers) {
                return Ok(false);
            }
            if is_done {
                break;
            }
        }
        self.pair.theirs.power_cycle()?;
        self.pair.ours.power_cycle();
        let state = u8::from(orderly == 1 && dice.percent(80));
        let startup = [0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, state];
        let commands = Both::same(startup.to_vec());
        let answers = self.execute(0, &commands)?;
        self.model.hierarchy_auth.retain(|(hierarchy, _)| state == 1 || *hierarchy != 0x4000_000C);
        self.refresh();
        Ok(self.compare_code(Cc::STARTUP, commands, answers))
    }

    /// Compares a command around a loss of power, where the code is all that there is.
    fn compare_code(&mut self, code: Cc, commands: Both<Vec<u8>>, answers: Both<Vec<u8>>) -> bool {
        let codes = answers.map(|answer| Rc::from_raw(response_code(answer)));
        let case = Case {
            step: 0,
            code,
            changes: vec!["power"],
            locality: 0,
            commands,
            answers,
            codes,
            trial: false,
            indices: Vec::new(),
            trial_pcrs: false,
            no_tries: false,
            field: None,
        };
        self.count(&case);
        if self.pair.trace {
            println!("     power: {} {} / {}", case.code, case.codes.theirs, case.codes.ours);
        }
        case.codes.equal() || self.differ(case)
    }
}

fn response_code(answer: &[u8]) -> u32 {
    answer.get(6..10).map_or(u32::MAX, |code| u32::from_be_bytes(code.try_into().unwrap_or_default()))
}
