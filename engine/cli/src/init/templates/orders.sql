-- One record for each order of the last year that was paid, refunded since or not. Identifier: order_id.
-- The date is fixed because the sample data is. Against live data, write: o.ordered_at >= now() - INTERVAL '1 year'
SELECT
    o.order_id,
    o.customer_id,
    NULLIF(LOWER(TRIM(c.email)), '') AS email,
    c.first_name,
    c.last_name,
    c.address,
    o.ordered_at,
    o.status,
    o.total,
    o.currency,
    o.items -- JSON: a list of objects, some with members that others lack
FROM orders AS o
INNER JOIN customers AS c ON c.customer_id = o.customer_id
WHERE o.status IN ('paid', 'refunded')
    AND o.ordered_at >= TIMESTAMP WITH TIME ZONE '@WINDOW_START@'
    AND NOT EXISTS (SELECT 1 FROM erasures AS e WHERE e.customer_id = o.customer_id)
