/** The choice of a fault plan; most readers' servers allow none. */
export { FaultPicker } from "../view/faults.js";
