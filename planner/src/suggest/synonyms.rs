//! What words mean: abbreviations, and the many ways to say the same in the names of columns and fields.
//!
//! Three tables, data rather than code. `ABBREVIATIONS` writes single words out. `MEANINGS` says which words, alone or one behind the
//! other, mean what: the spaces between them do not count, so `first name`, `FirstName` and `firstname` are one entry. `NEAR` says what
//! stands for something else at a pinch, and how well.
//!
//! Languages: English, and the everyday words of German, French, Spanish, Italian and Dutch schemas. Non-goal: a dictionary.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Short forms, and the word that each of them stands for.
const ABBREVIATIONS: &[(&str, &str)] = &[
    ("account", "acct acc acnt"),
    ("address", "addr adr adress"), // typos: on purpose
    ("amount", "amt amnt"),
    ("application", "app"),
    ("billing", "bill"),
    ("birth", "brth bth"),
    ("city", "cty"),
    ("code", "cd cde"),
    ("company", "cmpny cmp"),
    ("contact", "cntct"),
    ("count", "cnt"),
    ("country", "ctry cntry cntr"),
    ("created", "crt crtd"),
    ("currency", "curr cur ccy"),
    ("customer", "cust cstmr"),
    ("date", "dt"),
    ("description", "desc descr dsc"),
    ("device", "dev dvc"),
    ("discount", "disc dscnt"),
    ("email", "eml"),
    ("employee", "emp empl"),
    ("event", "evt evnt"),
    ("expected", "exp"),
    ("first", "frst fst"),
    ("flag", "flg ind"),
    ("gender", "gndr"),
    ("image", "img"),
    ("item", "itm"),
    ("language", "lang"),
    ("last", "lst"),
    ("latitude", "lat"),
    ("line", "ln"),
    ("location", "loc"),
    ("login", "lgn"),
    ("longitude", "lon long"),
    ("manufacturer", "mfr mfg mfct"),
    ("marketing", "mkt mktg"),
    ("message", "msg"),
    ("mobile", "mob mbl"),
    ("name", "nm nme"),
    ("number", "no num nbr nr nmbr"),
    ("order", "ord"),
    ("organization", "org organisation"),
    ("payment", "pmt pymt"),
    ("percent", "pct perc"),
    ("phone", "ph phn fon fone"),
    ("postal", "pstl"),
    ("previous", "prev"),
    ("product", "prod prd"),
    ("quantity", "qty"),
    ("reference", "ref"),
    ("session", "sess"),
    ("shipping", "ship shp"),
    ("status", "stat sts"),
    ("timestamp", "ts tstamp tstmp"),
    ("transaction", "txn trx trxn trans"),
    ("updated", "upd updt"),
    ("user", "usr"),
    ("version", "ver vers"),
    ("workspace", "wkspc wksp"),
];

/// A meaning, or several behind one another, and the ways to say it; each way without its spaces.
const MEANINGS: &[(&str, &str)] = &[
    // Whose it is.
    ("customer", "customer client buyer shopper purchaser consumer kunde kunden cliente clientes klant klanten kaeufer acheteur comprador"),
    ("user", "user utente utenti utilisateur usuario benutzer gebruiker login"),
    ("person", "person people contact contacts individual profile persona personne kontakt"),
    ("member", "member membership mitglied membre miembro socio abonnent abonne subscriber guest gast visitor patient student employee"),
    ("lead", "lead prospect"),
    (
        "company",
        "company organization account business firm employer firma unternehmen societe entreprise empresa azienda ditta bedrijf \
         group workspace tenant companyname firmenname raisonsociale nomsociete bedrijfsnaam employername",
    ),
    (
        "order",
        "order purchase transaction sale checkout booking bestellung bestell bestellungen auftrag commande pedido compra ordine bestelling",
    ),
    ("event", "event action activity conversion ereignis evenement evento"),
    ("browser", "browser"),
    ("deal", "deal opportunity"),
    // Which of several.
    ("billing", "billing billto invoicing rechnung rechnungs facturation facturacion"),
    ("shipping", "shipping shipto delivery liefer lieferung livraison envio spedizione"),
    ("mailing", "mailing postaladdress"),
    ("home", "home private privat residential"),
    ("geo", "geo location geolocation currentlocation"),
    // Persons.
    (
        "email",
        "email emailaddress mail mailaddress emailadresse mailadresse emailadres courriel adressemail correo correoelectronico \
         indirizzoemail indirizzomail epost workemail primaryemail smtpaddress",
    ),
    (
        "phone",
        "phone phonenumber telephone telephonenumber tel telnumber telefon telefonnummer telefoon telefoonnummer telefono \
         numerotelephone numerodetelephone numerotelefono phoneno rufnummer directdial dial landline festnetz homephone workphone msisdn",
    ),
    (
        "mobile",
        "mobile mobilephone mobilenumber mobilephonenumber mobiletel cell cellphone cellnumber mobil mobiltelefon handy \
         handynummer mobielnummer portable telephoneportable cellulare celular movil gsm",
    ),
    ("fax", "fax faxnumber telefax"),
    ("first_name", "firstname fname givenname forename christianname vorname prenom voornaam namefirst primernombre"),
    (
        "last_name",
        "lastname lname surname familyname nachname familienname nomdefamille nomfamille achternaam apellido apellidos cognome namelast",
    ),
    ("middle_name", "middlename middleinitial mname"),
    ("full_name", "fullname displayname wholename completename nombrecompleto nomcomplet vollername"),
    ("name", "name naam nombre nom nome bezeichnung"),
    ("salutation", "salutation anrede civilite honorific nameprefix aanhef tratamiento titolo"),
    ("gender", "gender sex geschlecht sexe genre genero sexo sesso genere geslacht gendercode sexcode"),
    (
        "birth_date",
        "birthdate dateofbirth dob birthday bday birthdt geburtsdatum geburtstag datenaissance datedenaissance fechanacimiento \
         fechadenacimiento datanascita datadinascita geboortedatum",
    ),
    ("birth", "birth born"),
    ("age", "age alter leeftijd edad eta"),
    (
        "job_title",
        "jobtitle position jobposition jobrole jobfunction function funktion beruf poste fonction cargo puesto functie occupation",
    ),
    ("title", "title titel titre titulo"),
    (
        "image",
        "image imageurl avatar avatarurl photo photourl picture pictureurl profilepicture profilepictureurl profileimage profileimageurl \
         profilephoto profilephotourl headshot thumbnail bild bildurl",
    ),
    ("language", "language languagecode preferredlanguage preflanguage sprache langue idioma taal lingua"),
    ("locale", "locale browserlocale culture"),
    ("time_zone", "timezone tz tzname tzid zeitzone timezonename fuseauhoraire zonahoraria"),
    ("password", "password passwordhash passwd pwd pwdhash secret"),
    // Places.
    (
        "street",
        "street streetaddress streetandnumber strasse strassehausnummer address1 addressline1 addressone addresslinenumber1 street1 line1 rue calle straat \
         houseandstreet adresszeile1 addressstreet",
    ),
    ("street_2", "street2 address2 addressline2 line2 complementadresse adressezusatz adresszusatz apartment suite flat addresstwo"),
    ("address", "address adresse direccion indirizzo adres anschrift domicile domicilio"),
    (
        "city",
        "city town ort stadt wohnort ville commune ciudad citta woonplaats plaats locality localidad municipality homecity cityname townname",
    ),
    (
        "state",
        "state province region stateprovince stateorprovince provinceorstate bundesland county provincia provincie statecode stateprovincecode \
         regionname regioncode provincecode provinz canton kanton stateregion",
    ),
    (
        "country",
        "country countrycode countryname countryiso countryiso2 countrycode2 countryiso3 isocountry land landcode pays codepays pais paese nazione",
    ),
    (
        "zip",
        "zip zipcode postalcode postcode postal plz postleitzahl codepostal codepostale codigopostal cap cp zippostalcode zippostal pincode eircode",
    ),
    ("latitude", "latitude geolatitude"),
    ("longitude", "longitude geolongitude lng"),
    // Companies.
    ("domain", "domain domainname companydomain webdomain emaildomain"),
    ("website", "website websiteurl homepage webpage webseite web weburl webaddress siteweb sitioweb sitoweb companyurl companywebsite"),
    ("industry", "industry industryname vertical industryvertical sector branche secteur sectoractividad businesssector"),
    (
        "employees",
        "employees numberofemployees numemployees employeecount employeescount noofemployees headcount companysize staffcount staffsize \
         mitarbeiterzahl anzahlmitarbeiter effectif empleados size",
    ),
    ("mrr", "mrr monthlyspend monthlyrecurringrevenue monthlyrevenue spendpermonth mrramount"),
    ("plan", "plan planname plantier subscriptionplan planid tariff tarif"),
    ("annual_revenue", "annualrevenue yearlyrevenue jahresumsatz arr"),
    // Identifiers.
    ("id", "id identifier uuid guid uid sk pk key ids"),
    ("anonymous_id", "anonymousid anonid visitorid userpseudoid pseudoid cookieid distinctid visitoruuid domainuserid browserid"),
    ("advertising_id", "advertisingid adid idfa gaid aaid madid mobileadid mobileadvertisingid deviceadvertisingid maid"),
    ("ip", "ip ipaddress clientip remoteip browserip userip clientipaddress remoteaddress ipv4"),
    ("user_agent", "useragent ua useragentstring clientuseragent browseruseragent"),
    ("number", "number nummer numero"),
    // Moments.
    (
        "created",
        "created createdat createdon createddate createdate creation creationdate datecreated creationtime signedup signedupat signupdate signuptime \
         joined joinedat joindate registered registeredat registration registrationdate angelegt angelegtam erstellt erstelltam datecreation \
         fechaalta fechacreacion datacreazione creatoil aangemaakt aangemaaktop adddate addtime inserted insertedat started startedat \
         startdate opendate",
    ),
    (
        "updated",
        "updated updatedat modified modifiedon modifieddate lastmodified lastmodifieddate lastupdated changed geaendert systemmodstamp",
    ),
    ("loaded", "loaded loadedat synced syncedat fivetransynced ingested extracted validfrom validto"),
    ("received", "received receivedat"),
    ("sent", "sent sentat"),
    (
        "happened",
        "occurred occurredat happened happenedat eventtime eventtimestamp conversiontime conversiontimestamp conversionhappenedat \
         processedat placedat orderedat purchasedat purchasedate orderdate ordertime bestelldatum bestellzeitpunkt datecommande fechapedido \
         viewedat transactiondate transactiontime originaltimestamp timestampmicros",
    ),
    (
        "last_seen",
        "lastseen lastseenat lastlogin lastloginat lastsession lastsessionat lastactive lastactiveat lastvisit dateoflastsession lastlogintimestamp \
         lastsessiontimestamp",
    ),
    ("first_seen", "firstseen firstseenat firstsession firstsessionat firstvisit dateoffirstsession firstsessiontimestamp firstlogin"),
    ("close_date", "closedate closingdate expectedclosedate expectedclose dateclosed expectedcloseddate expectedclosedon"),
    // Money and orders.
    (
        "total",
        "total grandtotal totalprice totalamount ordertotal ordervalue totalvalue amount value revenue price betrag gesamtbetrag summe montant \
         montanttotal importe importo prezzototale conversionvalue dealvalue totalpaid amountpaid",
    ),
    ("subtotal", "subtotal nettotal nettobetrag"),
    ("tax", "tax taxamount totaltax vat vatamount mwst mwstbetrag steuer tva iva btw salestax"),
    ("shipping cost", "shippingcost shippingamount shippingprice versandkosten fraisdeport gastosdeenvio deliveryfee"),
    ("discount", "discount discounts discountamount totaldiscount totaldiscounts rabatt remise descuento sconto korting"),
    ("currency", "currency currencycode currencyiso currencyisocode isocurrency waehrung devise moneda divisa valuta currencykey"),
    ("coupon", "coupon couponcode promocode promotioncode voucher vouchercode discountcode gutschein gutscheincode codepromo"),
    (
        "quantity",
        "quantity items itemcount numberitems numberofitems itemscount totalquantity totalquantityordered quantitytotal anzahlartikel anzahl stueckzahl",
    ),
    ("store", "store shop affiliation filiale branch outlet tienda negozio winkel magasin"),
    ("stage", "stage stagename dealstage pipelinestage salesstage opportunitystage"),
    (
        "probability",
        "probability winprobability likelihood wahrscheinlichkeit dealstageprobability probabilitypercent winprobabilitypercent",
    ),
    ("lost_reason", "lostreason lossreason reasonlost closedlostreason"),
    ("lifecycle_stage", "lifecyclestage lifecycle lifecyclestatus"),
    // Devices, pages, campaigns.
    ("device", "device geraet appareil handset"),
    ("application", "application"),
    ("os", "os operatingsystem ossystem betriebssystem"),
    ("page", "page seite"),
    ("screen", "screen display"),
    ("network", "network"),
    ("campaign", "campaign utm kampagne campagne"),
    ("campaign name", "utmcampaign campaignname marketingcampaign"),
    ("campaign source", "marketingsource"),
    ("campaign medium", "marketingmedium"),
    ("campaign term", "marketingterm"),
    ("campaign content", "marketingcontent"),
    ("manufacturer", "manufacturer maker vendor hersteller"),
    ("model", "model modelname modell"),
    ("carrier", "carrier mobilecarrier networkcarrier"),
    ("url", "url uri link href"),
    ("page url", "pagelocation"),
    ("referrer", "referrer referer refr referrerurl referringsite referringurl"),
    ("query", "querystring search query"),
    // What people want.
    ("subscribed", "subscribed issubscribed newsletter optin optedin emailoptin acceptsmarketing emailconsent marketingconsent subscribe"),
    ("unsubscribed", "unsubscribed unsubscribedfromemails optedout optout emailoptout donotemail hasoptedoutofemail optedoutofemail"),
    ("consent", "consent gdproptin gdprconsent"),
    ("description", "description notes note comment comments summary about beschreibung bemerkung descripcion descrizione omschrijving"),
    ("tags", "tags tag taglist labels"),
    // Says next to nothing.
    (
        "-",
        "context properties property traits attributes custom default current primary main my the of and is has data info detail details fields field \
         text iso iso2 code hs hubspot dim fct stg raw src crm external remote own parameters \
         string full record entity to",
    ),
    // Only says that it is a moment.
    ("@", "at on timestamp time date datetime datum am il heure fecha utc"),
    ("first", "first"),
    ("last", "last"),
];

/// Names that are too short to mean the same as a part of another name: those of Meta's lists of customers.
const WHOLE: &[(&str, &str)] = &[
    ("em", "email"),
    ("fn", "first_name"),
    ("ln", "last_name"),
    ("ge", "gender"),
    ("gen", "gender"),
    ("db", "birth_date"),
    ("doby", "birth year"),
    ("dobm", "birth month"),
    ("dobd", "birth day"),
    ("ct", "city"),
    ("st", "state"),
    ("zp", "zip"),
];

/// `(field, column, how well)`: the column will do where the field's own is not there.
const NEAR: &[(&str, &str, f64)] = &[
    ("phone", "mobile", 0.92),
    ("mobile", "phone", 0.8),
    ("full_name", "name", 0.9),
    ("name", "full_name", 0.95),
    ("first_name", "name", 0.35),
    ("last_name", "name", 0.4),
    ("street", "address", 0.95),
    ("address", "street", 0.95),
    ("id", "number", 0.85),
    ("number", "id", 0.6),
    ("website", "url", 0.6),
    ("website", "domain", 0.5),
    ("domain", "website", 0.5),
    ("url", "website", 0.5),
    ("language", "locale", 0.75),
    ("locale", "language", 0.7),
    ("job_title", "title", 0.9),
    ("title", "job_title", 0.9),
    ("salutation", "title", 0.5),
    ("happened", "created", 0.8),
    ("total", "subtotal", 0.6),
    ("stage", "status", 0.5),
    ("last_seen", "updated", 0.2),
    ("first_seen", "created", 0.4),
    ("plan", "tier", 0.6),
    ("subscribed", "consent", 0.7),
    ("state", "st", 0.8),
    ("street", "st", 0.7),
];

/// The longest way to say something, in words.
pub(super) const PHRASE_WORDS_MAX: usize = 5;

static SHORT: LazyLock<HashMap<&str, &str>> =
    LazyLock::new(|| ABBREVIATIONS.iter().flat_map(|(word, shorts)| shorts.split_whitespace().map(|short| (short, *word))).collect());

static MEANT: LazyLock<HashMap<&str, &str>> =
    LazyLock::new(|| MEANINGS.iter().flat_map(|(meaning, ways)| ways.split_whitespace().map(|way| (way, *meaning))).collect());

/// The word that `word` is short for.
pub(super) fn abbreviated(word: &str) -> Option<&'static str> {
    SHORT.get(word).copied()
}

/// What words mean that stand behind one another, written without their spaces; in the plural, too.
pub(super) fn meaning(joined: &str) -> Option<&'static str> {
    let plural = || ["es", "s"].iter().find_map(|end| MEANT.get(joined.strip_suffix(end)?));
    MEANT.get(joined).or_else(plural).copied()
}

/// What a whole name means that says nothing as a part of another.
pub(super) fn whole(name: &str) -> Option<&'static str> {
    WHOLE.iter().find(|(short, _)| short.eq_ignore_ascii_case(name)).map(|(_, meaning)| *meaning)
}

/// How well `column` stands for `field`, both of them meanings: 1 if they are the same, 0 if it does not.
pub(super) fn nearness(field: &str, column: &str) -> f64 {
    if field == column {
        return 1.0;
    }
    NEAR.iter().find(|(wanted, other, _)| *wanted == field && *other == column).map_or(0.0, |(_, _, strength)| *strength)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_way_is_said_once_and_in_plain_letters() {
        let mut seen = HashSet::new();
        for (meaning, ways) in MEANINGS {
            for way in ways.split_whitespace() {
                assert!(seen.insert(way), "`{way}` of `{meaning}` is there twice");
                assert!(way.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{way}");
            }
        }
        let mut seen = HashSet::new();
        for (word, shorts) in ABBREVIATIONS {
            for short in shorts.split_whitespace() {
                assert!(seen.insert(short), "`{short}` of `{word}` is there twice");
            }
        }
    }

    #[test]
    fn what_is_near_has_a_meaning_and_is_not_the_same() {
        for (field, column, strength) in NEAR {
            assert_ne!(field, column);
            assert!((0.0..1.0).contains(strength), "{field} {column}");
        }
        let is = |field: &str, column: &str, strength: f64| (nearness(field, column) - strength).abs() < 1e-9;
        assert!(is("phone", "mobile", 0.92) && is("phone", "email", 0.0) && is("unheard of", "unheard of", 1.0));
    }
}
