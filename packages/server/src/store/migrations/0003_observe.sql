-- 0003: what figures about the whole house are read from. Two indexes that hold only runs which are
-- kept from the line, so that runs on their way to a worker never touch them; and a function that
-- tells how far back the database must remember.

-- Runs that are held back, by what holds them: counted for figures.
create index run_held on signalbox.run (held) where state = 'pending' and held <> 0;
-- Runs that wait for a person and hold no lease.
create index run_suspended on signalbox.run (id)
  where state = 'waiting_approval' and lease_expires_at is null;

-- The oldest snapshot of this database: nothing that died after it can be cleaned away. Sessions of
-- other roles show it to their owner and to superusers only, so the function runs as whoever
-- applied the migrations: the user the servers log in as.
create function signalbox.horizon(out seconds double precision, out transactions bigint)
language sql stable security definer set search_path = pg_catalog as $$
  select coalesce(max(extract(epoch from clock_timestamp() - a.xact_start))
      filter (where a.backend_xmin is not null or a.backend_xid is not null), 0)::double precision,
    coalesce(max(greatest(age(a.backend_xmin), age(a.backend_xid))), 0)::bigint
  from pg_stat_activity a where a.datname = current_database() and a.pid <> pg_backend_pid()
$$;
revoke all on function signalbox.horizon() from public;
grant execute on function signalbox.horizon() to signalbox_house;
