// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Testing".
use crate::{Buf, MAX_DIGEST_BUFFER, Rc, TpmlAlg, YesNo, command};

command! {
    SELF_TEST [NV];
    /// Tests the functions of the TPM (`TPM2_SelfTest`).
    command SelfTest {
        full_test: YesNo,
    }
}

command! {
    INCREMENTAL_SELF_TEST [NV];
    /// Tests the listed algorithms (`TPM2_IncrementalSelfTest`).
    command IncrementalSelfTest {
        to_test: TpmlAlg,
    }
    response IncrementalSelfTestResponse {
        to_do_list: TpmlAlg,
    }
}

command! {
    GET_TEST_RESULT [];
    /// Returns the result of the self-test (`TPM2_GetTestResult`).
    command GetTestResult {}
    response GetTestResultResponse {
        out_data: Buf<MAX_DIGEST_BUFFER>,
        test_result: Rc,
    }
}
