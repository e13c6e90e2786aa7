// Small data that stays after a reload: unfinished uploads and settings. It is kept in IndexedDB, per user.

const STORES = ["uploads", "settings"] as const;
type Store = (typeof STORES)[number];

let opened: Promise<IDBDatabase> | null = null;

function database(): Promise<IDBDatabase> {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("cutty", 1);
    request.onupgradeneeded = () => {
      for (const store of STORES) request.result.createObjectStore(store);
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opened;
}

/** Private windows may refuse the database. Then nothing is kept, and the page works as on a first visit. */
async function run<T>(
  store: Store,
  mode: IDBTransactionMode,
  work: (store: IDBObjectStore) => IDBRequest<T>,
) {
  try {
    const transaction = (await database()).transaction(store, mode);
    const request = work(transaction.objectStore(store));
    return await new Promise<T>((resolve, reject) => {
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
  } catch {
    return undefined;
  }
}

export const get = <T>(store: Store, key: string): Promise<T | undefined> =>
  run(store, "readonly", (store) => store.get(key) as IDBRequest<T>);
export const all = async <T>(store: Store): Promise<T[]> =>
  (await run(store, "readonly", (store) => store.getAll() as IDBRequest<T[]>)) ?? [];
export const put = (store: Store, key: string, value: unknown): Promise<unknown> =>
  run(store, "readwrite", (store) => store.put(value, key));
export const remove = (store: Store, key: string): Promise<unknown> =>
  run(store, "readwrite", (store) => store.delete(key));
