// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_Commit` (Part 3, "TPM2_Commit"; Part 1, "TPM2_Commit()").

use crate::commands::Execute;
use crate::commands::asymmetric::wire_point;
use crate::object::secret::{Private, private_key};
use crate::state::Object;
use crate::{Platform, Tpm, algorithm};
use evtpm_crypto::{Crypto, CryptoError, EccPoint, EccPrivate};
use evtpm_protocol::ecc_point;
use evtpm_tpm_wire::commands::{Commit, CommitHandles, CommitResponse};
use evtpm_tpm_wire::{
    PublicBody, Rc, Subject, Tpm2b, Tpm2bEccParameter, Tpm2bEccPoint, Tpm2bSensitiveData, TpmsEccParms, TpmsEccPoint,
    TpmtEccScheme,
};

impl Execute for Commit {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: CommitHandles) -> Result<CommitResponse, Rc> {
        let at_key = |rc: Rc| rc.at(Subject::Handle(1));
        let key = tpm.object(handles.sign_handle.handle()).ok_or(at_key(Rc::KEY))?;
        let PublicBody::Ecc { parms, .. } = &key.public.body else { return Err(at_key(Rc::KEY)) };
        // "the signing scheme must be anonymous (TPM_RC_SCHEME)"
        if !matches!(parms.scheme, Some(TpmtEccScheme::Ecdaa(_))) {
            return Err(at_key(Rc::SCHEME));
        }
        // "Validate that s2 and y2 are either both Empty Buffers or both not Empty Buffers (TPM_RC_SIZE)"
        if self.s2.is_empty() != self.y2.is_empty() {
            return Err(Rc::SIZE.at(Subject::Parameter(3)));
        }
        let p2 = base_point::<P::Crypto>(key, parms, &self.s2, &self.y2)?;
        let p1 = given_point::<P::Crypto>(parms, &self.p1)?;

        let Private::Ecc(private) = private_key(key)? else { return Err(at_key(Rc::KEY)) };
        let made = tpm.state.committed::<P::Crypto>(private.curve(), Some(key), tpm.state.commits.next());
        let points = made.and_then(|r| multiply::<P::Crypto>(&private, &r, p1.as_ref(), p2.as_ref()));
        // "if K, L, or E is the point at infinity, return TPM_RC_NO_RESULT"
        let [k, l, e] = points.map_err(|error| tpm.refuse(error, Rc::NO_RESULT))?;
        let [k, l, e] = [written(k)?, written(l)?, written(e)?];

        Ok(CommitResponse { k, l, e, counter: tpm.state.commits.begin() })
    }
}

/// "compute x2 := HnameAlg(s2) (mod p); if (x2, y2) is not a point on the curve of signHandle, return TPM_RC_ECC_POINT"
fn base_point<C: Crypto>(
    key: &Object,
    parms: &TpmsEccParms,
    s2: &Tpm2bSensitiveData,
    y2: &Tpm2bEccParameter,
) -> Result<Option<EccPoint>, Rc> {
    if s2.is_empty() {
        return Ok(None);
    }
    let at_key = |rc: Rc| rc.at(Subject::Handle(1));
    let alg = key.public.name_alg.and_then(algorithm::hash).ok_or(at_key(Rc::HASH))?;
    let curve = algorithm::curve(parms.curve_id).ok_or(at_key(Rc::KEY))?;
    let point = EccPoint::with_reduced_x(curve, C::hash(alg, &[s2.as_bytes()]).as_bytes(), y2.as_bytes());
    let point = point.ok().filter(C::ecc_on_curve);
    point.ok_or(Rc::ECC_POINT.at(Subject::Parameter(2))).map(Some)
}

/// "if P1 is not an Empty Point and P1 is not a point on the curve of signHandle, return TPM_RC_ECC_POINT"
fn given_point<C: Crypto>(parms: &TpmsEccParms, Tpm2b(p1): &Tpm2bEccPoint) -> Result<Option<EccPoint>, Rc> {
    if *p1 == TpmsEccPoint::default() {
        return Ok(None);
    }
    let point = ecc_point(parms.curve_id, p1).ok().filter(C::ecc_on_curve);
    point.ok_or(Rc::ECC_POINT.at(Subject::Parameter(1))).map(Some)
}

/// "K := [ds](x2, y2) and L := [r](x2, y2)", "E := [r](P1)", or "E := [r]G" if there is neither point.
fn multiply<C: Crypto>(
    private: &EccPrivate,
    r: &EccPrivate,
    p1: Option<&EccPoint>,
    p2: Option<&EccPoint>,
) -> Result<[Option<EccPoint>; 3], CryptoError> {
    let times = |scalar: &EccPrivate, point| C::ecc_multiply(scalar, point);
    let k = p2.map(|point| times(private, point)).transpose()?;
    let l = p2.map(|point| times(r, point)).transpose()?;
    let e = match (p1, p2) {
        (Some(point), _) => Some(times(r, point)?),
        (None, Some(_)) => None,
        (None, None) => Some(C::ecc_public(r)?),
    };
    Ok([k, l, e])
}

/// "K, L or E can be Empty Points"
fn written(point: Option<EccPoint>) -> Result<Tpm2bEccPoint, Rc> {
    point.map_or(Ok(Tpm2b(TpmsEccPoint::default())), |point| wire_point(&point))
}
