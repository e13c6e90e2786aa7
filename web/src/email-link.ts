/** A link of an email, or the end of an account. */
export interface EmailLink {
  kind: "verify" | "reset" | "deleted";
  token: string;
}
