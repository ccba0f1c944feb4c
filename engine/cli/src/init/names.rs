//! What the made-up shop draws from: countries with their people and places, and the goods it sells.

/// A name as written, and the same in plain ASCII for an e-mail address.
pub(super) type Name = (&'static str, &'static str);

/// A country the shop delivers to.
pub(super) struct Country {
    /// ISO 3166.
    pub(super) code: &'static str,
    /// ISO 4217.
    pub(super) currency: &'static str,
    /// With the plus sign.
    pub(super) dialling: &'static str,
    /// Hours east of Greenwich in winter.
    pub(super) winter_offset: i64,
    /// Are clocks an hour ahead from April to October?
    pub(super) summer_time: bool,
    /// Digits of a postal code.
    pub(super) zip_digits: usize,
    pub(super) first_names: &'static [Name],
    pub(super) last_names: &'static [Name],
    pub(super) cities: &'static [&'static str],
    pub(super) streets: &'static [&'static str],
}

/// Weight, and country.
pub(super) const COUNTRIES: &[(u64, Country)] = &[
    (
        30,
        Country {
            code: "NO",
            currency: "NOK",
            dialling: "+47",
            winter_offset: 1,
            summer_time: true,
            zip_digits: 4,
            first_names: &[
                ("Ingrid", "ingrid"),
                ("Bjørn", "bjorn"),
                ("Åse", "ase"),
                ("Jonas", "jonas"),
                ("Nora", "nora"),
                ("Søren", "soren"),
                ("Solveig", "solveig"),
            ],
            last_names: &[
                ("Ørsted", "orsted"),
                ("Hansen", "hansen"),
                ("Bakke", "bakke"),
                ("Ødegård", "odegard"),
                ("Lie", "lie"),
                ("Sæther", "saether"),
            ],
            cities: &["Oslo", "Bergen", "Tromsø", "Ålesund", "Bodø"],
            streets: &["Storgata", "Kirkeveien", "Øvre gate", "Fjordveien"],
        },
    ),
    (
        15,
        Country {
            code: "DE",
            currency: "EUR",
            dialling: "+49",
            winter_offset: 1,
            summer_time: true,
            zip_digits: 5,
            first_names: &[
                ("Jürgen", "juergen"),
                ("Anna", "anna"),
                ("Lukas", "lukas"),
                ("Käthe", "kaethe"),
                ("Max", "max"),
                ("Mia", "mia"),
            ],
            last_names: &[
                ("Müller", "mueller"),
                ("Weiß", "weiss"),
                ("Schröder", "schroeder"),
                ("von der Heide", "vonderheide"),
                ("Koch", "koch"),
            ],
            cities: &["Berlin", "München", "Köln", "Leipzig", "Saarbrücken"],
            streets: &["Hauptstraße", "Am Markt", "Gartenweg", "Schloßallee"],
        },
    ),
    (
        12,
        Country {
            code: "GB",
            currency: "GBP",
            dialling: "+44",
            winter_offset: 0,
            summer_time: true,
            zip_digits: 5,
            first_names: &[
                ("Siobhán", "siobhan"),
                ("Oliver", "oliver"),
                ("Amelia", "amelia"),
                ("George", "george"),
                ("Mary Ann", "maryann"),
            ],
            last_names: &[
                ("O'Brien", "obrien"),
                ("Smith", "smith"),
                ("Taylor-Jones", "taylorjones"),
                ("Wright", "wright"),
                ("Null", "null"),
            ],
            cities: &["London", "Leeds", "Bury St Edmunds", "Aberdeen"],
            streets: &["High Street", "King's Road", "Mill Lane", "Church Walk"],
        },
    ),
    (
        12,
        Country {
            code: "PL",
            currency: "PLN",
            dialling: "+48",
            winter_offset: 1,
            summer_time: true,
            zip_digits: 5,
            first_names: &[("Łukasz", "lukasz"), ("Zofia", "zofia"), ("Małgorzata", "malgorzata"), ("Piotr", "piotr"), ("Jan", "jan")],
            last_names: &[
                ("Wójcik", "wojcik"),
                ("Kowalska", "kowalska"),
                ("Źródło", "zrodlo"),
                ("Nowak", "nowak"),
                ("Dąbrowski", "dabrowski"),
            ],
            cities: &["Kraków", "Łódź", "Warszawa", "Gdańsk"],
            streets: &["ul. Długa", "ul. Świętojańska", "Rynek Główny", "ul. Polna"],
        },
    ),
    (
        10,
        Country {
            code: "FR",
            currency: "EUR",
            dialling: "+33",
            winter_offset: 1,
            summer_time: true,
            zip_digits: 5,
            first_names: &[("Zoë", "zoe"), ("François", "francois"), ("Léa", "lea"), ("Jean-Luc", "jeanluc"), ("Noémie", "noemie")],
            last_names: &[("Lefèvre", "lefevre"), ("Dubois", "dubois"), ("D'Arcy", "darcy"), ("Muñoz", "munoz"), ("Bœuf", "boeuf")],
            cities: &["Paris", "Lyon", "Saint-Étienne", "Besançon"],
            streets: &["rue de l'Église", "avenue Foch", "quai Voltaire", "impasse des Lilas"],
        },
    ),
    (
        12,
        Country {
            code: "US",
            currency: "USD",
            dialling: "+1",
            winter_offset: -5,
            summer_time: true,
            zip_digits: 5,
            first_names: &[("Emma", "emma"), ("Liam", "liam"), ("José", "jose"), ("Aaliyah", "aaliyah"), ("Noah", "noah")],
            last_names: &[("Johnson", "johnson"), ("García", "garcia"), ("Nguyễn", "nguyen"), ("McDonald", "mcdonald"), ("Lee", "lee")],
            cities: &["New York", "Boston", "Coeur d'Alene", "Raleigh"],
            streets: &["Main St", "5th Avenue", "Elm Street", "Martin Luther King Jr. Blvd"],
        },
    ),
    (
        5,
        Country {
            code: "JP",
            currency: "USD",
            dialling: "+81",
            winter_offset: 9,
            summer_time: false,
            zip_digits: 7,
            first_names: &[("陽菜", "hina"), ("蓮", "ren"), ("さくら", "sakura"), ("大翔", "hiroto")],
            last_names: &[("佐藤", "sato"), ("鈴木", "suzuki"), ("髙橋", "takahashi"), ("田中", "tanaka")],
            cities: &["東京", "大阪", "札幌"],
            streets: &["本町", "中央", "緑町"],
        },
    ),
    (
        4,
        Country {
            code: "SG",
            currency: "SGD",
            dialling: "+65",
            winter_offset: 8,
            summer_time: false,
            zip_digits: 6,
            first_names: &[("伟", "wei"), ("Mei", "mei"), ("Priya", "priya"), ("秀英", "xiuying")],
            last_names: &[("李", "li"), ("Tan", "tan"), ("王", "wang"), ("Krishnan", "krishnan")],
            cities: &["Singapore"],
            streets: &["Orchard Road", "Bukit Timah Road", "Jalan Besar"],
        },
    ),
];

/// Where customers have their e-mail: weight, and domain.
pub(super) const DOMAINS: &[(u64, &str)] =
    &[(5, "example.com"), (3, "example.org"), (2, "example.net"), (1, "mail.example.com"), (1, "post.example")];

/// What customers pay for: weight, and name.
pub(super) const PLANS: &[(u64, &str)] = &[(70, "free"), (22, "plus"), (8, "pro")];

/// A thing the shop sells.
pub(super) struct Product {
    /// The stock-keeping unit.
    pub(super) sku: &'static str,
    /// Commas, quotation marks and other alphabets included.
    pub(super) name: &'static str,
    /// In hundredths of the customer's currency.
    pub(super) price_cents: i64,
    /// Can a text be engraved on it?
    pub(super) engravable: bool,
}

const fn product(sku: &'static str, name: &'static str, price_cents: i64, engravable: bool) -> Product {
    Product { sku, name, price_cents, engravable }
}

/// Weight, and product.
pub(super) const PRODUCTS: &[(u64, Product)] = &[
    (20, product("MUG-03", "Mug \"Fjord\", 0.3 l", 1490, true)),
    (16, product("TEA-SEN", "Sencha 煎茶, 100 g", 1295, false)),
    (14, product("TEA-EGY", "Earl Grey, loose", 990, false)),
    (10, product("COF-250", "Café crème, 250 g", 875, false)),
    (8, product("POT-12", "Teapot, 1.2 l", 4950, true)),
    (8, product("SPN-SET", "Spoons (set of 6)", 2400, true)),
    (6, product("HON-LND", "Heather honey / lynghonning", 1150, false)),
    (5, product("KTL-PRO", "Kettle Pro ½ l – 40 °C", 12_900, false)),
    (4, product("CHO-70", "Chocolate 70 %", 450, false)),
    (3, product("GFT-BOX", "Gift box 🎁", 599, true)),
    (2, product("SMP-000", "Sample", 0, false)),
    (1, product("ESP-X1", "Espresso machine X1", 89_900, true)),
];

/// What customers have engraved.
pub(super) const ENGRAVINGS: &[&str] = &["For Mum", "M ❤ L", "C:\\tea", "\"Cheers\"", "Ola & Kari", "2026"];

/// Labels that the shop puts on customers.
pub(super) const TAGS: &[&str] = &["newsletter", "vip", "wholesale", "b2b, net 30", "påmeldt", "late payer", "birthday-club"];
