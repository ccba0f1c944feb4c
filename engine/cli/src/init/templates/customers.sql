-- One record for each customer, with what their orders add up to. Identifier: customer_id.
-- Money stays decimal from end to end, so a sum never gains or loses a cent.
SELECT
    c.customer_id,
    NULLIF(LOWER(TRIM(c.email)), '') AS email, -- as typed in the shop: spaces and capitals included
    c.first_name,
    c.last_name,
    c.phone,
    c.country,
    c.city,
    c.birthday,
    c.plan,
    c.credit,
    c.marketing_consent,
    c.address, -- a struct: street, city, zip
    c.tags, -- a list of texts
    c.signup_at,
    c.last_seen_at,
    COALESCE(o.order_count, 0) AS order_count,
    COALESCE(o.lifetime_value, CAST(0 AS DECIMAL(14, 2))) AS lifetime_value,
    o.currency,
    o.last_order_at
FROM customers AS c
LEFT JOIN (
    SELECT
        customer_id,
        COUNT(*) AS order_count,
        CAST(SUM(CASE WHEN status = 'paid' THEN total ELSE 0 END) AS DECIMAL(14, 2)) AS lifetime_value,
        MIN(currency) AS currency, -- a customer of this shop pays in one currency
        MAX(ordered_at) AS last_order_at
    FROM orders
    GROUP BY customer_id
) AS o ON o.customer_id = c.customer_id
-- Who has asked to be forgotten is no longer in the result: the next run finds that the record was deleted.
WHERE NOT EXISTS (SELECT 1 FROM erasures AS e WHERE e.customer_id = c.customer_id)
