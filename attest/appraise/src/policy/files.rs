// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The files of a policy, which is looked into once for every entry of an IMA list.

use core::ops::{Deref, DerefMut};
use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize, Serializer};

use super::{AtLeastOne, FileDigest};

/// The digests that each path may have: a table with keyed hashes, as paths come from machines, written in the order of the paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct FileTable(HashMap<String, AtLeastOne<FileDigest>>);

impl FileTable {
    /// Gives up the table for its rows, in no order.
    pub fn into_rows(self) -> impl Iterator<Item = (String, AtLeastOne<FileDigest>)> {
        self.0.into_iter()
    }
}

impl Deref for FileTable {
    type Target = HashMap<String, AtLeastOne<FileDigest>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for FileTable {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Serialize for FileTable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.iter().collect::<BTreeMap<_, _>>().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evtpm_logs::HashId;

    #[test]
    fn the_rows_are_written_in_the_order_of_their_paths() {
        let mut table = FileTable::default();
        for n in (0..50_u8).rev() {
            let digest = FileDigest::new(HashId::SHA256, &[n; 32]).unwrap();
            table.insert(format!("/usr/bin/{n:02}"), AtLeastOne::new(digest));
        }
        let json = serde_json::to_string(&table).unwrap();
        let places: Vec<_> = (0..50).map(|n| json.find(&format!("/usr/bin/{n:02}")).unwrap()).collect();
        assert!(places.is_sorted());
        assert_eq!(serde_json::from_str::<FileTable>(&json).unwrap(), table);
    }
}
