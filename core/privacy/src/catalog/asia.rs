//! Asia and Turkey.

use super::{Anchor, Edge, Pattern};
use crate::Entity::{
    CnMobile, CnResidentId, InAadhaar, InGstin, InPan, InPassport, InVehicleRegistration, InVoter, JpMyNumber, KrBrn,
    KrDriverLicense, KrFrn, KrPassport, KrRrn, SgNricFin, SgUen, ThTnin, TrLicensePlate, TrNationalId,
};
use crate::check::asia;

macro_rules! korean {
    ($sex:literal) => {
        concat!("[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])-?", $sex, "[0-9]{6}")
    };
}

macro_rules! plate {
    ($separator:literal) => {
        concat!("(?:0[1-9]|[1-7][0-9]|8[01])", $separator, "[A-PR-VY-Z]{1,3}", $separator, "[0-9]{2,4}")
    };
}

pub(super) const PATTERNS: &[Pattern] = &[
    Pattern::new(InAadhaar, 0.01, "[0-9]{12}").check(asia::in_aadhaar),
    Pattern::new(InAadhaar, 0.01, "[0-9]{4}[- :][0-9]{4}[- :][0-9]{4}").check(asia::in_aadhaar),
    Pattern::new(InPan, 0.5, "[A-Z]{3}[ABCFGHJLPT][A-Z][0-9]{4}[A-Z]"),
    Pattern::new(InPan, 0.1, "[A-Z]{5}[0-9]{4}[A-Z]"),
    Pattern::new(InGstin, 0.8, "(?:0[1-9]|[1-3][0-7])[A-Z0-9]{11}Z[A-Z0-9]").check(asia::in_gstin),
    Pattern::new(InGstin, 0.1, "[0-9]{2}[A-Z0-9]{11}Z[A-Z0-9]").check(asia::in_gstin),
    Pattern::new(InVehicleRegistration, 0.01, "(?:[A-Z]{1,2}[0-9]{4}|I[0-9]{5})").check(asia::in_vehicle),
    Pattern::new(InVehicleRegistration, 0.2, "[A-Z]{3}[0-9]{4}").check(asia::in_vehicle),
    Pattern::new(InVehicleRegistration, 0.4, "[0-9]{1,3}(?:CD|CC|UN)[1-9][0-9]{1,3}").check(asia::in_vehicle),
    Pattern::new(InVehicleRegistration, 0.5, "[A-Z]{2}(?:[0-9][A-Z]{1,3}|[0-9]{2}[A-Z]{1,2})[0-9]{4}")
        .check(asia::in_vehicle),
    Pattern::new(InVehicleRegistration, 0.85, "[2-9][1-9]BH[0-9]{4}[A-HJ-NP-Z]{2}").check(asia::in_vehicle),
    Pattern::new(InVehicleRegistration, 0.85, "(?:0[1-9]|[1-9][0-9])[A-FHKPRX][0-9]{6}[A-Z]").check(asia::in_vehicle),
    Pattern::new(InPassport, 0.1, "[A-Z][1-9][0-9][ \t]?[0-9]{4}[1-9]"),
    Pattern::new(InVoter, 0.4, "[A-Z][ABCDGHJKMNPRSY][A-Z][0-9]{7}"),
    Pattern::new(InVoter, 0.3, "[A-Z]{3}[0-9]{7}"),
    Pattern::new(KrRrn, 0.5, korean!("[1-4]"))
        .between(Edge::Digit, Edge::Digit)
        .at(Anchor::Digit)
        .check(asia::kr_resident),
    Pattern::new(KrFrn, 0.5, korean!("[5-8]"))
        .between(Edge::Digit, Edge::Digit)
        .at(Anchor::Digit)
        .check(asia::kr_foreigner),
    Pattern::new(KrBrn, 0.1, "[0-9]{3}-[0-9]{2}-[0-9]{5}")
        .between(Edge::Digit, Edge::Digit)
        .at(Anchor::Digit)
        .check(asia::kr_business),
    Pattern::new(KrBrn, 0.05, "[0-9]{10}").between(Edge::Digit, Edge::Digit).at(Anchor::Digit).check(asia::kr_business),
    Pattern::new(KrDriverLicense, 0.05, "[0-9]{2}[- ]?[0-9]{2}[- ]?[0-9]{6}[- ]?[0-9]{2}")
        .between(Edge::Digit, Edge::Digit)
        .at(Anchor::Digit)
        .check(asia::kr_driver),
    Pattern::new(KrPassport, 0.1, "[MSROD][0-9]{3}[A-Z][0-9]{4}").between(Edge::Alphanumeric, Edge::Digit),
    Pattern::new(KrPassport, 0.05, "[MSROD][0-9]{8}").between(Edge::Alphanumeric, Edge::Digit),
    Pattern::new(SgNricFin, 0.3, "[A-Z][0-9]{7}[A-Z]"),
    Pattern::new(SgNricFin, 0.5, "[STFGM][0-9]{7}[A-Z]"),
    Pattern::new(SgUen, 0.3, "(?:[0-9]{8,9}[A-Z]|[TSR][0-9]{2}[A-Z]{2}[0-9]{4}[A-Z])").check(asia::sg_uen),
    Pattern::new(ThTnin, 0.5, "[1-9](?:[134][0-9]|2[0-7]|5[0-8]|[67][0-7]|[89][0-6])[0-9]{10}")
        .check(asia::th_national),
    Pattern::new(TrNationalId, 0.3, "[1-9][0-9]{10}").check(asia::tr_national),
    Pattern::new(TrLicensePlate, 0.3, plate!("[ \t]?")).check(asia::tr_plate),
    Pattern::new(TrLicensePlate, 0.3, plate!("-")).check(asia::tr_plate),
    Pattern::new(CnResidentId, 0.5, "[1-9][0-9]{5}(?:18|19|20)[0-9]{9}[0-9X]")
        .between(Edge::Alphanumeric, Edge::Alphanumeric)
        .check(asia::cn_resident),
    Pattern::new(CnMobile, 0.3, r"(?:\+?86[- ]?)?1[3-9][0-9][- ]?[0-9]{4}[- ]?[0-9]{4}")
        .between(Edge::Alphanumeric, Edge::Alphanumeric),
    Pattern::new(JpMyNumber, 0.05, "[0-9]{4}[- ]?[0-9]{4}[- ]?[0-9]{4}")
        .between(Edge::Alphanumeric, Edge::Alphanumeric)
        .check(asia::jp_my_number),
];
