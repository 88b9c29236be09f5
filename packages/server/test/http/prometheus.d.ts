// The shape of what `parse-prometheus-text-format` gives, which has no types of its own.
declare module "parse-prometheus-text-format" {
  export type Family = {
    readonly name: string;
    readonly help: string;
    readonly type: "COUNTER" | "GAUGE" | "HISTOGRAM" | "SUMMARY" | "UNTYPED";
    readonly metrics: readonly {
      readonly value?: string;
      readonly labels?: { readonly [name: string]: string };
      readonly buckets?: { readonly [le: string]: string };
      readonly count?: string;
      readonly sum?: string;
    }[];
  };
  const parse: (text: string) => Family[];
  export default parse;
}
