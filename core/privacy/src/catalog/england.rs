//! The United Kingdom.

use super::Pattern;
use crate::Entity::{UkDrivingLicence, UkNhs, UkNino, UkPassport, UkPostcode, UkVehicleRegistration};
use crate::check::europe;

macro_rules! inward {
    () => {
        "[ \t]?[0-9][ABD-HJLNP-UW-Z]{2}"
    };
}

pub(super) const PATTERNS: &[Pattern] = &[
    Pattern::new(UkNhs, 0.5, "[0-9]{3}[- ]?[0-9]{3}[- ]?[0-9]{4}").check(europe::uk_nhs),
    Pattern::new(UkNino, 0.5, "[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]")
        .check(europe::uk_nino),
    Pattern::new(
        UkDrivingLicence,
        0.5,
        "[A-Z9]{5}[0-9](?:0[1-9]|1[0-2]|5[1-9]|6[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9][A-Z9]{2}[A-Z0-9][A-Z]{2}",
    )
    .check(europe::uk_driving_licence),
    Pattern::new(UkPassport, 0.1, "[A-Z]{2}[0-9]{7}"),
    Pattern::new(UkPostcode, 0.1, "GIR[ \t]?0AA"),
    Pattern::new(UkPostcode, 0.1, concat!("[A-PR-UWYZ][0-9][ABCDEFGHJKPSTUW]?", inward!())),
    Pattern::new(UkPostcode, 0.1, concat!("[A-PR-UWYZ][0-9]{2}", inward!())),
    Pattern::new(UkPostcode, 0.1, concat!("[A-PR-UWYZ][A-HK-Y][0-9][ABEHMNPRVWXY]?", inward!())),
    Pattern::new(UkPostcode, 0.1, concat!("[A-PR-UWYZ][A-HK-Y][0-9]{2}", inward!())),
    Pattern::new(UkVehicleRegistration, 0.3, "[A-HJ-PR-Y]{2}(?:0[1-9]|[1-7][0-9])[- ]?[A-HJ-PR-Z]{3}")
        .check(europe::uk_vehicle),
    Pattern::new(UkVehicleRegistration, 0.2, "[A-HJ-NPR-TV-Y][0-9]{1,3}[- ]?[A-HJ-PR-Y][A-HJ-PR-Z]{2}")
        .check(europe::uk_vehicle),
    Pattern::new(UkVehicleRegistration, 0.15, "[A-HJ-PR-Z]{3}[- ]?[0-9]{1,3}[- ]?[A-HJ-NPR-TV-Y]")
        .check(europe::uk_vehicle),
];
