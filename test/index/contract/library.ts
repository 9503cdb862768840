/** All that `Library` promises, as facts that every engine has to pass. */

import { fullTextContract } from './full-text.js';
import type { House } from './house.js';
import { jobsContract } from './jobs.js';
import { layersContract } from './layers.js';
import { placesContract } from './places.js';
import { sharedWindowsContract } from './shared-windows.js';
import { standingContract } from './standing.js';
import { summariesContract } from './summaries.js';
import { tagsContract } from './tags.js';
import { vectorsContract } from './vectors.js';
import { videosContract } from './videos.js';
import { windowsContract } from './windows.js';

export function libraryContract(house: House): void {
  videosContract(house);
  tagsContract(house);
  windowsContract(house);
  layersContract(house);
  summariesContract(house);
  jobsContract(house);
  sharedWindowsContract(house);
  placesContract(house);
  standingContract(house);
  fullTextContract(house);
  vectorsContract(house);
}
