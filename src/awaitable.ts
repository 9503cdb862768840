/** A value that may be there at once (SQLite, in this process) or later (PostgreSQL, over a connection). Whoever asks awaits either. */
export type Awaitable<T> = T | Promise<T>;
