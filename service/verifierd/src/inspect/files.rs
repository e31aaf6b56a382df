// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Files that an operator accepts into a policy.

use evtpm_api::AcceptedFile;
use evtpm_appraise::Policy;
use evtpm_appraise::policy::{AtLeastOne, FileDigest};

use crate::refusal::Refusal;

/// The most files of one request.
const MOST: usize = 10_000;

/// Adds files to those that the policy knows.
pub(crate) fn accept(mut policy: Policy, files: Vec<AcceptedFile>) -> Result<Policy, Refusal> {
    let ima =
        policy.ima.as_mut().ok_or_else(|| Refusal::bad_request("this policy does not judge files: it has no [ima]"))?;
    if files.is_empty() || files.len() > MOST {
        return Err(Refusal::bad_request(format!("{} files, expected 1 to {MOST}", files.len())));
    }
    for AcceptedFile { path, digest } in files {
        let digest: FileDigest = digest.parse().map_err(Refusal::bad_request)?;
        match ima.files.get_mut(&path) {
            Some(known) => known.insert(digest),
            None => drop(ima.files.insert(path, AtLeastOne::new(digest))),
        }
    }
    Ok(policy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(digits: &str) -> AcceptedFile {
        AcceptedFile { path: "/bin/sh".into(), digest: format!("sha256:{}", digits.repeat(32)) }
    }

    #[test]
    fn a_file_may_have_what_it_had_and_what_was_accepted() {
        let policy = Policy::from_toml("version = 1\nhardware = \"none\"\n[ima]\n").unwrap();
        let policy = accept(policy, vec![file("11"), file("22"), file("22")]).unwrap();
        assert_eq!(policy.ima.unwrap().files["/bin/sh"].len(), 2);
    }

    #[test]
    fn a_policy_that_judges_no_files_takes_none() {
        let policy = Policy::from_toml("version = 1\nhardware = \"none\"\n[boot]\nsecure_boot = true\n").unwrap();
        assert!(accept(policy, vec![file("11")]).is_err());
    }
}
