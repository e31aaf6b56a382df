// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `--runas` (`swtpm(8)`: "Run as the given user") and `uid=`, `gid=`: whom the process and its sockets belong to.

use anyhow::{Context, Result};
use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

/// A user with the groups whose member he is.
#[derive(Debug, PartialEq, Eq)]
struct Owner {
    user: u32,
    group: u32,
    /// Missing for a number: swtpm leaves the process its groups then.
    groups: Option<Vec<u32>>,
}

/// Makes the calling thread, and with it every thread that it starts afterwards, a user's. There is no way back.
///
/// # Errors
/// When there is no such user, or the kernel refuses.
pub fn change(user: &str) -> Result<()> {
    let owner = match number(user) {
        Some(owner) => owner,
        None => named(user, &read(USERS)?, &read(GROUPS)?).context("--runas")?,
    };
    let group = Gid::from_raw(owner.group);
    if let Some(groups) = &owner.groups {
        let groups: Vec<_> = groups.iter().copied().map(Gid::from_raw).collect();
        set_thread_groups(&groups).with_context(|| format!("--runas {user}: setting the groups"))?;
    }
    set_thread_res_gid(group, group, group).with_context(|| format!("--runas {user}: setting the group"))?;
    let user_id = Uid::from_raw(owner.user);
    set_thread_res_uid(user_id, user_id, user_id).with_context(|| format!("--runas {user}: setting the user"))
}

/// Finds a user by name or by number.
pub(super) fn user(name: &str) -> Result<u32> {
    find("user", name, USERS)
}

/// Finds a group by name or by number.
pub(super) fn group(name: &str) -> Result<u32> {
    find("group", name, GROUPS)
}

fn find(kind: &str, name: &str, path: &str) -> Result<u32> {
    match name.parse() {
        Ok(number) => Ok(number),
        Err(_) => third_field(name, &read(path)?).with_context(|| format!("{kind} '{name}' does not exist")),
    }
}

const USERS: &str = "/etc/passwd";
const GROUPS: &str = "/etc/group";

fn read(path: &str) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("reading {path}"))
}

/// The number of a name: the third field in `passwd(5)` and in `group(5)`.
fn third_field(name: &str, rows: &str) -> Option<u32> {
    row(name, rows)?.get(2)?.parse().ok()
}

/// The fields of a name.
fn row<'a>(name: &str, rows: &'a str) -> Option<Vec<&'a str>> {
    rows.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|row| row.first() == Some(&name))
}

/// A number is a user and the group of the same number, as with swtpm; the greatest means "unchanged" to the kernel.
fn number(user: &str) -> Option<Owner> {
    let id = user.parse().ok().filter(|id| *id != u32::MAX)?;
    Some(Owner { user: id, group: id, groups: None })
}

/// Finds a user in what `passwd(5)` and `group(5)` describe.
fn named(user: &str, users: &str, groups: &str) -> Result<Owner> {
    let row = row(user, users);
    let id = |position: usize| row.as_ref()?.get(position)?.parse().ok();
    let (Some(user_id), Some(group)) = (id(2), id(3)) else {
        anyhow::bail!("user '{user}' does not exist");
    };
    let member_of = groups.lines().filter_map(|line| {
        let mut row = line.split(':').skip(2);
        let (group, members) = (row.next()?, row.next()?);
        members.split(',').any(|member| member == user).then(|| group.parse().ok()).flatten()
    });
    let groups = std::iter::once(group).chain(member_of.filter(|other| *other != group)).collect();
    Ok(Owner { user: user_id, group, groups: Some(groups) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME_USERS: &str = "root:x:0:0:root:/root:/bin/bash\ntss:x:104:106:TPM:/var/lib/tpm:/bin/false\n";
    const SOME_GROUPS: &str = "root:x:0:\nkvm:x:103:qemu,tss\ntss:x:106:tss\nss:x:107:s\n";

    #[test]
    fn a_name_brings_the_groups_whose_member_it_is() {
        let owner = Owner { user: 104, group: 106, groups: Some(vec![106, 103]) };
        assert_eq!(named("tss", SOME_USERS, SOME_GROUPS).unwrap(), owner);
        assert_eq!(number("tss"), None);
    }

    #[test]
    fn users_and_groups_are_found_by_name_and_by_number() {
        assert_eq!(third_field("tss", SOME_USERS), Some(104));
        assert_eq!(third_field("tss", SOME_GROUPS), Some(106));
        assert_eq!(third_field("ts", SOME_USERS), None);
        assert_eq!((user("root").unwrap(), user("17").unwrap(), group("root").unwrap()), (0, 17, 0));
        assert_eq!(group("no such group").unwrap_err().to_string(), "group 'no such group' does not exist");
    }

    #[test]
    fn a_number_is_a_user_and_a_group() {
        assert_eq!(number("104"), Some(Owner { user: 104, group: 104, groups: None }));
        assert_eq!(number("4294967295"), None);
    }

    #[test]
    fn nobody_becomes_a_user_who_does_not_exist() {
        for user in ["", "ts", "TPM", "x"] {
            assert!(named(user, SOME_USERS, SOME_GROUPS).unwrap_err().to_string().contains("does not exist"), "{user}");
        }
        assert!(change("no such user").is_err());
    }
}
