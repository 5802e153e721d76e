use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::custom::CustomEntity;

/// Writes the enum, the list of all and the names from one table.
macro_rules! entities {
    ($($variant:ident $name:literal $doc:literal)*) => {
        /// A sort of personal data that can be looked for. Prints and parses as Presidio's name for it where that has one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "&'static str", try_from = "String")]
        #[non_exhaustive]
        pub enum Entity {
            $(#[doc = $doc] $variant,)*
            /// One that a policy defines.
            Custom(CustomEntity),
        }

        /// The same without custom ones, so that each has a number.
        enum Place { $($variant),* }

        impl Entity {
            /// All that are built in.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name in resources, placeholders and reports.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Custom(custom) => custom.as_str(),
                }
            }

            /// Place in [`Entity::ALL`]; none for a custom one.
            pub(crate) fn index(self) -> Option<usize> {
                match self {
                    $(Self::$variant => Some(Place::$variant as usize),)*
                    Self::Custom(_) => None,
                }
            }
        }
    };
}

entities! {
    EmailAddress "EMAIL_ADDRESS" "An e-mail address."
    CreditCard "CREDIT_CARD" "The number of a payment card, with a valid check digit."
    IbanCode "IBAN_CODE" "An international bank account number (ISO 13616)."
    Crypto "CRYPTO" "A Bitcoin address: base58check, bech32 or bech32m."
    IpAddress "IP_ADDRESS" "An IPv4 or IPv6 address, with or without a prefix length."
    MacAddress "MAC_ADDRESS" "A hardware address (EUI-48)."
    Uuid "UUID" "A universally unique identifier (RFC 9562)."
    Url "URL" "An address on the web."
    PhoneNumber "PHONE_NUMBER" "A telephone number of some country's numbering plan."
    DateTime "DATE_TIME" "A date; without a word about birth beside it, it is no personal data."
    Secret "SECRET" "A password, key or token that opens something."
    Person "PERSON" "A person's name."
    Location "LOCATION" "A place."
    Organization "ORGANIZATION" "A company or another body."
    UsSsn "US_SSN" "United States: social security number."
    UsItin "US_ITIN" "United States: individual taxpayer identification number."
    AbaRoutingNumber "ABA_ROUTING_NUMBER" "United States: bank routing number."
    MedicalLicense "MEDICAL_LICENSE" "United States: DEA registration of a prescriber."
    UsNpi "US_NPI" "United States: national provider identifier."
    UsMbi "US_MBI" "United States: Medicare beneficiary identifier."
    UsDriverLicense "US_DRIVER_LICENSE" "United States: driver license of any state."
    UsPassport "US_PASSPORT" "United States: passport."
    UsBankNumber "US_BANK_NUMBER" "United States: bank account."
    UkNhs "UK_NHS" "United Kingdom: NHS number."
    UkNino "UK_NINO" "United Kingdom: national insurance number."
    UkDrivingLicence "UK_DRIVING_LICENCE" "United Kingdom: driving licence."
    UkPassport "UK_PASSPORT" "United Kingdom: passport."
    UkPostcode "UK_POSTCODE" "United Kingdom: postcode."
    UkVehicleRegistration "UK_VEHICLE_REGISTRATION" "United Kingdom: vehicle registration."
    DeTaxId "DE_TAX_ID" "Germany: tax identification number of a person."
    DeTaxNumber "DE_TAX_NUMBER" "Germany: tax number of an office."
    DeVatId "DE_VAT_ID" "Germany: VAT identification number."
    DePassport "DE_PASSPORT" "Germany: passport."
    DeIdCard "DE_ID_CARD" "Germany: identity card."
    DeSocialSecurity "DE_SOCIAL_SECURITY" "Germany: pension insurance number."
    DeHealthInsurance "DE_HEALTH_INSURANCE" "Germany: health insurance number."
    DeLanr "DE_LANR" "Germany: physician number."
    DeBsnr "DE_BSNR" "Germany: practice number."
    DePlz "DE_PLZ" "Germany: postal code."
    DeKfz "DE_KFZ" "Germany: vehicle registration."
    DeHandelsregister "DE_HANDELSREGISTER" "Germany: commercial register number."
    DeFuehrerschein "DE_FUEHRERSCHEIN" "Germany: driving licence."
    EsNif "ES_NIF" "Spain: tax identification number of a citizen."
    EsNie "ES_NIE" "Spain: identification number of a foreigner."
    EsPassport "ES_PASSPORT" "Spain: passport."
    ItFiscalCode "IT_FISCAL_CODE" "Italy: fiscal code."
    ItVatCode "IT_VAT_CODE" "Italy: VAT number."
    ItDriverLicense "IT_DRIVER_LICENSE" "Italy: driving licence."
    ItPassport "IT_PASSPORT" "Italy: passport."
    ItIdentityCard "IT_IDENTITY_CARD" "Italy: identity card."
    PlPesel "PL_PESEL" "Poland: PESEL."
    FiPersonalIdentityCode "FI_PERSONAL_IDENTITY_CODE" "Finland: personal identity code (HETU)."
    SePersonnummer "SE_PERSONNUMMER" "Sweden: personal identity number."
    SeOrganisationsnummer "SE_ORGANISATIONSNUMMER" "Sweden: organisation number."
    FrNir "FR_NIR" "France: social security number (NIR)."
    NlBsn "NL_BSN" "Netherlands: citizen service number."
    BeNationalNumber "BE_NATIONAL_NUMBER" "Belgium: national register number."
    PtNif "PT_NIF" "Portugal: tax number."
    AtSocialSecurity "AT_SOCIAL_SECURITY" "Austria: social insurance number."
    ChAhv "CH_AHV" "Switzerland: AHV number."
    AuAbn "AU_ABN" "Australia: business number."
    AuAcn "AU_ACN" "Australia: company number."
    AuTfn "AU_TFN" "Australia: tax file number."
    AuMedicare "AU_MEDICARE" "Australia: Medicare number."
    InAadhaar "IN_AADHAAR" "India: Aadhaar."
    InPan "IN_PAN" "India: permanent account number."
    InGstin "IN_GSTIN" "India: goods and services tax number."
    InVehicleRegistration "IN_VEHICLE_REGISTRATION" "India: vehicle registration."
    InPassport "IN_PASSPORT" "India: passport."
    InVoter "IN_VOTER" "India: voter identity card."
    KrRrn "KR_RRN" "Korea: resident registration number."
    KrFrn "KR_FRN" "Korea: foreigner registration number."
    KrBrn "KR_BRN" "Korea: business registration number."
    KrDriverLicense "KR_DRIVER_LICENSE" "Korea: driver license."
    KrPassport "KR_PASSPORT" "Korea: passport."
    SgNricFin "SG_NRIC_FIN" "Singapore: NRIC or FIN."
    SgUen "SG_UEN" "Singapore: unique entity number."
    ThTnin "TH_TNIN" "Thailand: national identification number."
    TrNationalId "TR_NATIONAL_ID" "Turkey: national identity number."
    TrLicensePlate "TR_LICENSE_PLATE" "Turkey: license plate."
    NgNin "NG_NIN" "Nigeria: national identification number."
    NgVehicleRegistration "NG_VEHICLE_REGISTRATION" "Nigeria: vehicle registration."
    PhTin "PH_TIN" "Philippines: taxpayer identification number."
    PhUmid "PH_UMID" "Philippines: unified multi-purpose identity card."
    PhPassport "PH_PASSPORT" "Philippines: passport."
    ZaIdNumber "ZA_ID_NUMBER" "South Africa: identity number."
    CaSin "CA_SIN" "Canada: social insurance number."
    CaPostalCode "CA_POSTAL_CODE" "Canada: postal code."
    BrCpf "BR_CPF" "Brazil: taxpayer number of a person."
    BrCnpj "BR_CNPJ" "Brazil: taxpayer number of a company."
    CnResidentId "CN_RESIDENT_ID" "China: resident identity number."
    CnMobile "CN_MOBILE" "China: mobile telephone number."
    JpMyNumber "JP_MY_NUMBER" "Japan: individual number."
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Entity> for &'static str {
    fn from(entity: Entity) -> Self {
        entity.as_str()
    }
}

/// A name that is no entity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entity {name:?} is not known: use one of {}, or a custom one as CUSTOM_NAME", names())]
pub struct UnknownEntity {
    /// What was given.
    pub name: String,
}

impl FromStr for Entity {
    type Err = UnknownEntity;

    fn from_str(name: &str) -> Result<Self, UnknownEntity> {
        Self::ALL
            .iter()
            .copied()
            .find(|entity| entity.as_str() == name)
            .or_else(|| CustomEntity::new(name).ok().map(Self::Custom))
            .ok_or_else(|| UnknownEntity { name: name.to_string() })
    }
}

impl TryFrom<String> for Entity {
    type Error = UnknownEntity;

    fn try_from(name: String) -> Result<Self, UnknownEntity> {
        name.parse()
    }
}

fn names() -> String {
    Entity::ALL.iter().map(|entity| entity.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_a_wrong_one_lists_what_there_is() {
        for (index, entity) in Entity::ALL.iter().enumerate() {
            assert_eq!(entity.as_str().parse(), Ok(*entity));
            assert_eq!(entity.index(), Some(index));
        }
        let error = "EMAIL".parse::<Entity>().map_err(|error| error.to_string()).unwrap_err();
        assert!(error.starts_with("entity \"EMAIL\" is not known: use one of EMAIL_ADDRESS, CREDIT_CARD, "), "{error}");
    }

    #[test]
    fn a_custom_name_parses_anywhere() {
        let entity = "CUSTOM_BADGE".parse::<Entity>();
        assert_eq!(entity.as_ref().map(|entity| entity.as_str()), Ok("CUSTOM_BADGE"));
        assert!("CUSTOM_badge".parse::<Entity>().is_err() && "CUSTOM_".parse::<Entity>().is_err());
    }
}
