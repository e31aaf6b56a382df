// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The paths for administrators, once: the router and the OpenAPI document are both made of this table.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{MethodRouter, delete, get, post, put};
use evtpm_api::{
    AcceptRequest, AuditLine, BootLogPage, ChainHead, Event, FleetPage, GrantChange, ImaPage, KeySummary, Lease,
    MachineChain, MachineDetails, MachineRequest, MachineSummary, NewKey, NewResource, NewToken, PolicyEffect,
    PolicySummary, ResourceSummary, Session, SessionRequest, TokenRequest, TokenSummary,
};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;

use super::{audit, events, fleet, inspection, keys, machines, openapi, policies, tokens};
use crate::access::Role;
use crate::app::App;
use crate::fronts::page;

/// The largest request: a policy with tens of thousands of files.
const BODY: usize = 16 << 20;

/// One operation.
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) role: Option<Role>,
    pub(super) summary: &'static str,
    /// Parameters behind the path, each with its JSON type.
    pub(super) query: &'static [(&'static str, &'static str)],
    pub(super) request: Option<Shape>,
    pub(super) answer: Option<Shape>,
    handler: MethodRouter<Arc<App>>,
}

/// The shape of a body: its schema, made by a generator that collects what it refers to.
pub(super) type Shape = fn(&mut SchemaGenerator) -> Value;

fn shape<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Value {
    schemas.subschema_for::<T>().to_value()
}

impl Operation {
    fn new(method: &'static str, path: &'static str, role: Role, handler: MethodRouter<Arc<App>>) -> Self {
        let role = Some(role);
        Operation { method, path, role, summary: "", query: &[], request: None, answer: None, handler }
    }

    fn about(self, summary: &'static str) -> Self {
        Operation { summary, ..self }
    }

    fn takes<T: JsonSchema>(self) -> Self {
        Operation { request: Some(shape::<T>), ..self }
    }

    fn gives<T: JsonSchema>(self) -> Self {
        Operation { answer: Some(shape::<T>), ..self }
    }
}

/// Every operation.
pub(super) fn operations() -> Vec<Operation> {
    [of_machines(), of_keys(), of_policies(), of_administrators()].into_iter().flatten().collect()
}

/// Machines, their evidence, and the keys that they have.
fn of_machines() -> Vec<Operation> {
    use Role::{Operate, Read};
    vec![
        Operation::new("get", "/machines", Read, get(machines::list))
            .about("Lists the machines.")
            .gives::<Vec<MachineSummary>>(),
        Operation::new("get", "/machines/{name}", Read, get(machines::show))
            .about("Shows one machine with its boots.")
            .gives::<MachineDetails>(),
        Operation {
            query: &[
                ("search", "string"),
                ("state", "string"),
                ("sort", "string"),
                ("descending", "integer"),
                ("offset", "integer"),
                ("limit", "integer"),
            ],
            ..Operation::new("get", "/fleet", Read, get(fleet::list))
                .about("Returns a part of the fleet, and how many machines are in each state.")
                .gives::<FleetPage>()
        },
        Operation::new("get", "/machines/{name}/chain", Read, get(inspection::chain))
            .about("Returns the links from the root of trust to the running system, each with its bytes and how it stands.")
            .gives::<MachineChain>(),
        Operation::new("get", "/machines/{name}/boot-log", Read, get(inspection::boot_log))
            .about("Returns the event log of the present boot by register.")
            .gives::<BootLogPage>(),
        Operation {
            query: &[("search", "string"), ("flagged", "integer"), ("offset", "integer"), ("limit", "integer")],
            ..Operation::new("get", "/machines/{name}/ima", Read, get(inspection::ima))
                .about("Returns a part of the IMA list of the present boot, newest first.")
                .gives::<ImaPage>()
        },
        Operation::new("put", "/machines/{name}", Operate, put(machines::put))
            .about("Adds a machine before it registers, or changes its policy (which needs the role policy too).")
            .takes::<MachineRequest>()
            .gives::<MachineSummary>(),
        Operation::new("delete", "/machines/{name}", Operate, delete(machines::remove))
            .about("Forgets a machine; it may register again as anything."),
        Operation::new("delete", "/machines/{name}/alarm", Operate, delete(machines::end_alarm))
            .about("Ends a machine's clone alarm."),
        Operation::new("get", "/machines/{name}/leases", Read, get(keys::leases_of))
            .about("Lists the keys that a machine was given, and until when.")
            .gives::<Vec<Lease>>(),
        Operation::new("delete", "/machines/{name}/leases/{lease}", Operate, delete(keys::revoke))
            .about("Ends a lease; the same boot is not given that key again."),
        Operation::new("get", "/leases", Read, get(keys::leases))
            .about("Lists the leases of all machines.")
            .gives::<Vec<Lease>>(),
    ]
}

/// Keys for attested machines, and resources for guests of Confidential Containers.
fn of_keys() -> Vec<Operation> {
    use Role::{Keys, Read};
    vec![
        Operation::new("get", "/keys", Read, get(keys::list))
            .about("Lists the broker's keys, without the keys.")
            .gives::<Vec<KeySummary>>(),
        Operation::new("get", "/keys/{name}", Read, get(keys::show))
            .about("Shows one key, without the key.")
            .gives::<KeySummary>(),
        Operation::new("put", "/keys/{name}", Keys, put(keys::add))
            .about("Makes a key; one that is there already is not changed.")
            .takes::<NewKey>()
            .gives::<KeySummary>(),
        Operation::new("put", "/keys/{name}/grants", Keys, put(keys::grant))
            .about("Changes whom a key is for; leases of those who lose it end.")
            .takes::<GrantChange>()
            .gives::<KeySummary>(),
        Operation::new("delete", "/keys/{name}", Keys, delete(keys::remove))
            .about("Forgets a key: what is sealed below it can never be opened again."),
        Operation::new("get", "/resources", Read, get(keys::resources))
            .about("Lists the resources for guests of Confidential Containers, without their content.")
            .gives::<Vec<ResourceSummary>>(),
        Operation::new("put", "/resources/{repository}/{type}/{tag}", Keys, put(keys::put_resource))
            .about("Adds or changes a resource.")
            .takes::<NewResource>()
            .gives::<ResourceSummary>(),
        Operation::new("delete", "/resources/{repository}/{type}/{tag}", Keys, delete(keys::remove_resource))
            .about("Forgets a resource."),
    ]
}

/// Policies, and what a change of one would do.
fn of_policies() -> Vec<Operation> {
    use Role::{Policy, Read};
    vec![
        Operation::new("get", "/policies", Read, get(policies::list))
            .about("Lists the policies.")
            .gives::<Vec<PolicySummary>>(),
        Operation::new("get", "/policies/{name}", Read, get(policies::show))
            .about("Returns a policy document, as JSON.")
            .gives::<Value>(),
        Operation::new("put", "/policies/{name}", Policy, put(policies::put))
            .about("Adds or changes a policy: a document in JSON or TOML. It counts from each machine's next challenge on.")
            .takes::<Value>()
            .gives::<PolicySummary>(),
        Operation::new("post", "/policies/{name}/trial", Read, post(inspection::try_policy))
            .about("Tries a document in place of the policy on the evidence that is kept, and changes nothing.")
            .takes::<Value>()
            .gives::<PolicyEffect>(),
        Operation::new("post", "/policies/{name}/files", Policy, post(inspection::accept))
            .about("Adds files to those that the policy knows, or (with the role read) tells what that would do.")
            .takes::<AcceptRequest>()
            .gives::<PolicyEffect>(),
        Operation::new("delete", "/policies/{name}", Policy, delete(policies::remove))
            .about("Forgets a policy that no machine has."),
    ]
}

/// Tokens and sessions, the audit log, events.
fn of_administrators() -> Vec<Operation> {
    use Role::{Keys, Read};
    vec![
        Operation::new("get", "/tokens", Keys, get(tokens::list))
            .about("Lists the administrators' tokens, without the tokens.")
            .gives::<Vec<TokenSummary>>(),
        Operation::new("post", "/tokens", Keys, post(tokens::create))
            .about("Makes a token with some roles; it is shown this once.")
            .takes::<TokenRequest>()
            .gives::<NewToken>(),
        Operation::new("delete", "/tokens/{name}", Keys, delete(tokens::remove)).about("Forgets a token."),
        Operation {
            query: &[("after", "integer"), ("limit", "integer")],
            ..Operation::new("get", "/audit", Read, get(audit::list))
                .about("Reads the audit log from behind the line `after` on, at most `limit` lines.")
                .gives::<Vec<AuditLine>>()
        },
        Operation {
            query: &[("before", "integer"), ("machine", "string"), ("limit", "integer")],
            ..Operation::new("get", "/audit/newest", Read, get(audit::newest))
                .about("Reads the audit log backwards from its end, or from before the line `before`.")
                .gives::<Vec<AuditLine>>()
        },
        Operation::new("get", "/audit/head", Read, get(audit::head))
            .about("Follows the chain through the whole audit log.")
            .gives::<ChainHead>(),
        Operation::new("get", "/events", Read, get(events::follow))
            .about("Tells what happens as it happens: server-sent events, each with an Event as its data.")
            .gives::<Event>(),
        Operation::new("get", "/session", Read, get(page::show)).about("Says who asks.").gives::<Session>(),
        Operation {
            role: None,
            ..Operation::new("post", "/session", Read, post(page::open))
                .about("Puts a token into a cookie that scripts cannot read, for the page.")
                .takes::<SessionRequest>()
                .gives::<Session>()
        },
        Operation {
            role: None,
            ..Operation::new("delete", "/session", Read, delete(page::close)).about("Takes the cookie back.")
        },
        Operation {
            role: None,
            ..Operation::new("get", "/openapi.json", Read, get(openapi::show)).about("This document.").gives::<Value>()
        },
    ]
}

/// The paths below the API's prefix.
pub(crate) fn router() -> Router<Arc<App>> {
    let all = operations().into_iter();
    all.fold(Router::new(), |router, operation| router.route(operation.path, operation.handler))
        .layer(DefaultBodyLimit::max(BODY))
}
