-- What a disk does to the tables on it: with the setting `torture.storage` at `full` every write that may need another
-- page fails as it does on a full disk, within the orchestrators' own transactions; at `slow` it takes its time. The
-- rows that leases are in are written over in place, which a full disk allows.

CREATE FUNCTION torture_storage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    CASE current_setting('torture.storage', true)
        WHEN 'full' THEN
            RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
        WHEN 'slow' THEN
            PERFORM pg_sleep(0.05);
        ELSE
            NULL;
    END CASE;
    RETURN NULL;
END $$;

DO $$
DECLARE
    name text;
BEGIN
    FOR name IN
        SELECT tablename FROM pg_tables
        WHERE schemaname = 'public' AND tablename NOT LIKE 'torture%' AND tablename NOT IN ('replicas', 'housekeeping')
    LOOP
        EXECUTE format('CREATE TRIGGER torture_storage BEFORE INSERT OR UPDATE ON %I'
            ' FOR EACH STATEMENT EXECUTE FUNCTION torture_storage()', name);
    END LOOP;
END $$;
