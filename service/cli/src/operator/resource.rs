// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm key resource`: what guests of Confidential Containers fetch by the key broker protocol.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Subcommand;
use evtpm_api::{NewResource, ResourceSummary};
use hyper::Method;

use super::client::Operator;
use super::{ago, print};

#[derive(Debug, Subcommand)]
pub(crate) enum ResourceCommand {
    /// Add or change a resource.
    Put {
        /// Its path: REPOSITORY/TYPE/TAG.
        resource: String,
        /// The file with its content.
        file: PathBuf,
        /// A policy; guests that it finds good by their report alone may have the resource.
        #[arg(long = "policy", value_name = "NAME", required = true)]
        policies: Vec<String>,
    },
    /// List the resources, without their content.
    List,
    /// Forget a resource.
    Remove {
        /// Its path.
        resource: String,
    },
}

impl ResourceCommand {
    /// Runs the command.
    pub(super) fn run(&self, operator: &Operator, json: bool) -> Result<()> {
        match self {
            ResourceCommand::Put { resource, file, policies } => {
                let content = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?.into();
                let new = NewResource { policies: policies.iter().cloned().collect(), content };
                let body = serde_json::to_string(&new)?;
                let put: ResourceSummary = operator.ask(Method::PUT, &format!("/resources/{resource}"), Some(body))?;
                print(&[put], |put, _| line(put), json)
            }
            ResourceCommand::List => {
                print(&operator.ask::<Vec<_>>(Method::GET, "/resources", None)?, |resource, _| line(resource), json)
            }
            ResourceCommand::Remove { resource } => {
                operator.ask(Method::DELETE, &format!("/resources/{resource}"), None)
            }
        }
    }
}

fn line(ResourceSummary { resource, policies, size, changed_at }: &ResourceSummary) -> String {
    let policies: Vec<&str> = policies.iter().map(String::as_str).collect();
    let changed = ago(Some(*changed_at));
    format!("{resource:<32} {size} bytes  changed {changed:<12} for policy {}", policies.join(", "))
}
