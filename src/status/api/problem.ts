/** What every answer that is none says: nothing of paths, code or the request it answers. */
export const problem = (error: string): { readonly error: string } => ({ error });
