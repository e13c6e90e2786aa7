// Uploads into the account of the signed-in user.

import * as api from "./api";
import type { Target } from "./upload";

const same = (url: string): string => url;

export const accountTarget = (userId: string): Target => ({
  owner: userId,
  endpoint: "/api/uploads",
  headers: async () => ({ Authorization: `Bearer ${await api.currentToken()}` }),
  renew: api.renewToken,
  getOffset: api.getOffset,
  end: api.endUpload,
  kept: same,
  urlOf: same,
  getFile: api.getFile,
  getProfile: (id) => api.getProfile(id),
});
