/** Fields of view as the tiles of a grid: what each cell shows is cut out of one field. Plain data; arrays row by row. */
export interface FieldCells {
  /** Pixels of every field's image. */
  readonly width: number;
  readonly height: number;
  /** Name of a cell's image below the set's folder; empty where the microscope did not go. */
  readonly names: readonly string[];
  /** Where the cell begins in its image. */
  readonly lefts: readonly number[];
  readonly tops: readonly number[];
}
