-- How this server is set up, in its own words. A script, because clients let only administrators ask for it directly.
return redis.call('INFO', 'server') .. redis.call('INFO', 'memory') .. redis.call('INFO', 'persistence') .. redis.call('INFO', 'replication')
