// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The names of event types (PFP, "Event Types"; Intel TXT Software Development Guide, "TPM Event Log").

use core::fmt;

/// The type of an event; values without a name are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventType(pub u32);

macro_rules! event_types {
    ($($constant:ident = $value:literal, $name:literal;)+) => {
        impl EventType {
            $(#[doc = concat!("`", $name, "`.")] pub const $constant: EventType = EventType($value);)+

            /// Returns the type's name in the specification, if it has one.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($name),)+
                    _ => None,
                }
            }

            /// Finds the type with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(EventType($value)),)+
                    _ => None,
                }
            }
        }
    };
}

event_types! {
    PREBOOT_CERT = 0x0000_0000, "EV_PREBOOT_CERT";
    POST_CODE = 0x0000_0001, "EV_POST_CODE";
    UNUSED = 0x0000_0002, "EV_UNUSED";
    NO_ACTION = 0x0000_0003, "EV_NO_ACTION";
    SEPARATOR = 0x0000_0004, "EV_SEPARATOR";
    ACTION = 0x0000_0005, "EV_ACTION";
    EVENT_TAG = 0x0000_0006, "EV_EVENT_TAG";
    S_CRTM_CONTENTS = 0x0000_0007, "EV_S_CRTM_CONTENTS";
    S_CRTM_VERSION = 0x0000_0008, "EV_S_CRTM_VERSION";
    CPU_MICROCODE = 0x0000_0009, "EV_CPU_MICROCODE";
    PLATFORM_CONFIG_FLAGS = 0x0000_000A, "EV_PLATFORM_CONFIG_FLAGS";
    TABLE_OF_DEVICES = 0x0000_000B, "EV_TABLE_OF_DEVICES";
    COMPACT_HASH = 0x0000_000C, "EV_COMPACT_HASH";
    IPL = 0x0000_000D, "EV_IPL";
    IPL_PARTITION_DATA = 0x0000_000E, "EV_IPL_PARTITION_DATA";
    NONHOST_CODE = 0x0000_000F, "EV_NONHOST_CODE";
    NONHOST_CONFIG = 0x0000_0010, "EV_NONHOST_CONFIG";
    NONHOST_INFO = 0x0000_0011, "EV_NONHOST_INFO";
    OMIT_BOOT_DEVICE_EVENTS = 0x0000_0012, "EV_OMIT_BOOT_DEVICE_EVENTS";
    POST_CODE2 = 0x0000_0013, "EV_POST_CODE2";
    TXT_PCR_MAPPING = 0x0000_0401, "EVTYPE_PCR_MAPPING";
    TXT_HASH_START = 0x0000_0402, "EVTYPE_HASH_START";
    TXT_COMBINED_HASH = 0x0000_0403, "EVTYPE_COMBINED_HASH";
    TXT_MLE_HASH = 0x0000_0404, "EVTYPE_MLE_HASH";
    TXT_BIOSAC_REG_DATA = 0x0000_040A, "EVTYPE_BIOSAC_REG_DATA";
    TXT_CPU_SCRTM_STAT = 0x0000_040B, "EVTYPE_CPU_SCRTM_STAT";
    TXT_LCP_CONTROL_HASH = 0x0000_040C, "EVTYPE_LCP_CONTROL_HASH";
    TXT_ELEMENTS_HASH = 0x0000_040D, "EVTYPE_ELEMENTS_HASH";
    TXT_STM_HASH = 0x0000_040E, "EVTYPE_STM_HASH";
    TXT_OSSINITDATA_CAP_HASH = 0x0000_040F, "EVTYPE_OSSINITDATA_CAP_HASH";
    TXT_SINIT_PUBKEY_HASH = 0x0000_0410, "EVTYPE_SINIT_PUBKEY_HASH";
    TXT_LCP_HASH = 0x0000_0411, "EVTYPE_LCP_HASH";
    TXT_LCP_DETAILS_HASH = 0x0000_0412, "EVTYPE_LCP_DETAILS_HASH";
    TXT_LCP_AUTHORITIES_HASH = 0x0000_0413, "EVTYPE_LCP_AUTHORITIES_HASH";
    TXT_NV_INFO_HASH = 0x0000_0414, "EVTYPE_NV_INFO_HASH";
    EFI_VARIABLE_DRIVER_CONFIG = 0x8000_0001, "EV_EFI_VARIABLE_DRIVER_CONFIG";
    EFI_VARIABLE_BOOT = 0x8000_0002, "EV_EFI_VARIABLE_BOOT";
    EFI_BOOT_SERVICES_APPLICATION = 0x8000_0003, "EV_EFI_BOOT_SERVICES_APPLICATION";
    EFI_BOOT_SERVICES_DRIVER = 0x8000_0004, "EV_EFI_BOOT_SERVICES_DRIVER";
    EFI_RUNTIME_SERVICES_DRIVER = 0x8000_0005, "EV_EFI_RUNTIME_SERVICES_DRIVER";
    EFI_GPT_EVENT = 0x8000_0006, "EV_EFI_GPT_EVENT";
    EFI_ACTION = 0x8000_0007, "EV_EFI_ACTION";
    EFI_PLATFORM_FIRMWARE_BLOB = 0x8000_0008, "EV_EFI_PLATFORM_FIRMWARE_BLOB";
    EFI_HANDOFF_TABLES = 0x8000_0009, "EV_EFI_HANDOFF_TABLES";
    EFI_PLATFORM_FIRMWARE_BLOB2 = 0x8000_000A, "EV_EFI_PLATFORM_FIRMWARE_BLOB2";
    EFI_HANDOFF_TABLES2 = 0x8000_000B, "EV_EFI_HANDOFF_TABLES2";
    EFI_VARIABLE_BOOT2 = 0x8000_000C, "EV_EFI_VARIABLE_BOOT2";
    EFI_GPT_EVENT2 = 0x8000_000D, "EV_EFI_GPT_EVENT2";
    EFI_HCRTM_EVENT = 0x8000_0010, "EV_EFI_HCRTM_EVENT";
    EFI_VARIABLE_AUTHORITY = 0x8000_00E0, "EV_EFI_VARIABLE_AUTHORITY";
    EFI_SPDM_FIRMWARE_BLOB = 0x8000_00E1, "EV_EFI_SPDM_FIRMWARE_BLOB";
    EFI_SPDM_FIRMWARE_CONFIG = 0x8000_00E2, "EV_EFI_SPDM_FIRMWARE_CONFIG";
    EFI_SPDM_DEVICE_POLICY = 0x8000_00E3, "EV_EFI_SPDM_DEVICE_POLICY";
    EFI_SPDM_DEVICE_AUTHORITY = 0x8000_00E4, "EV_EFI_SPDM_DEVICE_AUTHORITY";
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "event type {:#010x}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn a_type_without_name_is_shown_by_number() {
        assert_eq!(EventType(0x8000_00E0).to_string(), "EV_EFI_VARIABLE_AUTHORITY");
        assert_eq!(EventType(0x8000_0099).to_string(), "event type 0x80000099");
    }
}
