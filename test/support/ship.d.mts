/** The packages that come inside, and which of their files. */
export declare const SHIPPED: Readonly<Record<string, RegExp>>;
