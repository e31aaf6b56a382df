// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Context Management".
use crate::{TpmiDhContext, TpmiDhObject, TpmiDhPersistent, TpmiRhProvision, TpmsContext, TpmsContextIn, command};

command! {
    CONTEXT_SAVE [NO_SESSIONS];
    handles ContextSaveHandles {
        save_handle: TpmiDhContext,
    }
    /// Saves a session or an object outside the TPM (`TPM2_ContextSave`).
    command ContextSave {}
    response ContextSaveResponse {
        context: TpmsContext,
    }
}

command! {
    CONTEXT_LOAD [NO_SESSIONS];
    /// Loads what TPM2_ContextSave saved (`TPM2_ContextLoad`).
    command ContextLoad<'a> {
        context: TpmsContextIn<'a>,
    }
    response ContextLoadResponse {
        @handle loaded_handle,
    }
}

command! {
    FLUSH_CONTEXT [NO_SESSIONS];
    /// Removes a session or a transient object (`TPM2_FlushContext`).
    command FlushContext {
        flush_handle: TpmiDhContext,
    }
}

command! {
    EVICT_CONTROL [NV, PP, READ_ONLY];
    handles EvictControlHandles {
        @user auth: TpmiRhProvision,
        object_handle: TpmiDhObject,
    }
    /// Makes an object persistent, or a persistent object go (`TPM2_EvictControl`).
    command EvictControl {
        persistent_handle: TpmiDhPersistent,
    }
}
