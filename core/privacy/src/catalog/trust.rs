use crate::Entity;

/// When a finding of an entity is reported although no word beside it says what it is.
///
/// A check digit modulo 10 confirms every tenth number, and with all countries' recognizers on, a bare number of nine
/// digits passes one or another almost surely. So what weak evidence confirms counts only with context, unless the caller
/// sets a minimum score of their own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Trust {
    /// Least score by form alone; above 1 it never suffices.
    pub(crate) form: f64,
    /// Whether a right checksum suffices.
    pub(crate) checked: bool,
    /// Whether it suffices also for a bare run of digits.
    pub(crate) bare: bool,
}

const FORM: Trust = Trust { form: 0.5, checked: true, bare: false };
const CHECKED: Trust = Trust { form: 2.0, checked: true, bare: false };
const STRONG: Trust = Trust { form: 2.0, checked: true, bare: true };
const CONTEXT: Trust = Trust { form: 2.0, checked: false, bare: false };

/// What suffices for an entity.
pub(crate) fn trust(entity: Entity) -> Trust {
    use Entity::{
        BeNationalNumber, BrCnpj, BrCpf, CaSin, ChAhv, CnResidentId, CreditCard, Crypto, DeSocialSecurity, DeVatId,
        EmailAddress, EsNie, EsNif, FiPersonalIdentityCode, FrNir, IbanCode, InGstin, InPan, IpAddress, ItFiscalCode,
        KrFrn, KrRrn, Location, MacAddress, Organization, Person, PlPesel, SePersonnummer, Secret, SgUen, TrNationalId,
        UkDrivingLicence, UkNino, Url, UsItin, UsMbi, UsSsn, ZaIdNumber,
    };
    match entity {
        EmailAddress | CreditCard | IbanCode | Crypto | FrNir | BeNationalNumber | ChAhv | BrCpf | BrCnpj
        | CnResidentId | TrNationalId | ZaIdNumber | PlPesel => STRONG,
        KrRrn | KrFrn => Trust { form: 0.5, ..STRONG },
        UsSsn | UsItin | UsMbi | UkNino | UkDrivingLicence | DeVatId | CaSin | InPan | InGstin | IpAddress
        | MacAddress => FORM,
        EsNif | EsNie | ItFiscalCode | FiPersonalIdentityCode | SePersonnummer | SgUen | DeSocialSecurity => CHECKED,
        Secret | Person => Trust { form: 0.6, ..FORM },
        Url => Trust { form: 0.6, ..FORM },
        Location | Organization => Trust { form: 0.7, ..FORM },
        Entity::Custom(_) => Trust { form: 0.5, checked: true, bare: true },
        _ => CONTEXT,
    }
}
