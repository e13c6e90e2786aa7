/** The address of a bundled worker (build.mjs). */
declare module "*?worker" {
  const url: string;
  export default url;
}
