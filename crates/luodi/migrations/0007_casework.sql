-- Figures over the cases of an item and period, asked on every case page.
CREATE INDEX casework_item ON casework (item_id, period);
